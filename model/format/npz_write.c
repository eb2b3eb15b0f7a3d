/* Writing .npz files, uncompressed. All entries have the same date, as numpy's do, so that equal weights give equal files. */
#include "npz.h"

#include <string.h>
#include <zip.h>

/* An entry of a zip file. libzip reads its bytes at the end, when it writes the whole file. */
typedef struct {
  const RvmFormatContent *content;
  const RvmArray *array;
  GBytes *header;
  guint8 *bytes;
  gsize size, at;  /* of header and values together */
  GError **error;  /* the first failure */
} ZipEntry;

static zip_int64_t
read_zip_entry (void *user_data, void *data, zip_uint64_t length, zip_source_cmd_t command)
{
  ZipEntry *entry = user_data;
  const gsize header_size = g_bytes_get_size (entry->header);
  guint64 elements, bytes = 0;
  gsize done = 0, size = 0;

  switch (command) {
    case ZIP_SOURCE_OPEN:
      entry->at = 0;
      entry->bytes = *entry->error ? NULL : entry->content->get_bytes (entry->array, &size, entry->content->user_data, entry->error);
      entry->size = header_size + size;
      return entry->bytes ? 0 : -1;
    case ZIP_SOURCE_READ:
      while (done < length && entry->at < entry->size) {
        const gboolean head = entry->at < header_size;
        const gsize run = MIN (length - done, (head ? header_size : entry->size) - entry->at);
        const guint8 *from = head ? (const guint8 *) g_bytes_get_data (entry->header, NULL) + entry->at : entry->bytes + entry->at - header_size;
        memcpy ((guint8 *) data + done, from, run);
        entry->at += run;
        done += run;
      }
      return done;
    case ZIP_SOURCE_CLOSE:
      g_clear_pointer (&entry->bytes, g_free);
      return 0;
    case ZIP_SOURCE_STAT: {
      zip_stat_t *info = data;
      zip_stat_init (info);
      rvm_array_get_size (entry->array, &elements, &bytes);
      info->size = header_size + bytes;
      info->mtime = 315532800; /* 1980, as numpy: equal weights give equal files */
      info->valid = ZIP_STAT_SIZE | ZIP_STAT_MTIME;
      return sizeof *info;
    }
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data (&(zip_error_t){ .zip_err = ZIP_ER_INTERNAL }, data, length);
    case ZIP_SOURCE_FREE:
      g_clear_pointer (&entry->bytes, g_free);
      return 0;
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap (ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
          ZIP_SOURCE_FREE, -1);
    default:
      return -1;
  }
}

gboolean
rvm_npz_write (const char *path, const RvmFormatContent *content, GError **error)
{
  g_autofree ZipEntry *entries = g_new0 (ZipEntry, content->n_arrays);
  g_autoptr (GError) reason = NULL;
  int code;
  zip_t *zip = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  gboolean ok = zip != NULL;

  for (guint i = 0; ok && i < content->n_arrays; i++) {
    g_autofree char *name = g_strconcat (content->arrays[i].name, ".npy", NULL);
    zip_source_t *source;
    zip_int64_t index;

    entries[i] = (ZipEntry){ .content = content, .array = &content->arrays[i], .error = &reason };
    entries[i].header = rvm_npy_format_header (&content->arrays[i], 0);
    source = zip_source_function (zip, read_zip_entry, &entries[i]);
    index = source ? zip_file_add (zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    ok = index >= 0 && zip_set_file_compression (zip, index, ZIP_CM_STORE, 0) == 0;
    if (index < 0 && source)
      zip_source_free (source);
  }
  if (ok)
    ok = zip_close (zip) == 0; /* writes everything */
  if (!ok && reason)
    g_propagate_error (error, g_steal_pointer (&reason));
  else if (!ok)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, zip ? zip_strerror (zip) : "cannot be created");
  if (!ok && zip)
    zip_discard (zip);
  for (guint i = 0; i < content->n_arrays; i++)
    g_clear_pointer (&entries[i].header, g_bytes_unref);
  return ok;
}
