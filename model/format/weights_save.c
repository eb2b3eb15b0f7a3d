/* Writing weight files: to a temporary file in the same folder, flushed to the disk, read back, then renamed, so that a reader sees the old
 * file or the whole new one. One array is in memory at a time. */
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "kernels/error.h"
#include "kernels/half.h"
#include "kernels/text.h"
#include "safetensors.h"
#include "weights.h"

typedef struct {
  const RvmArray *arrays;
  guint n_arrays;
  RvmWeightsSource source;
  gpointer user_data;
  GHashTable *metadata;
} Job;

/* The values of an array in its stored type. */
static gpointer
make_bytes (const Job *job, const RvmArray *array, gsize *size, GError **error)
{
  guint64 elements, bytes;
  g_autofree float *values = NULL;
  guint16 *halves;

  if (!rvm_array_get_size (array, &elements, &bytes) || elements > G_MAXSSIZE / sizeof (float)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "array '%s' is too large", array->name);
    return NULL;
  }
  *size = bytes;
  values = g_try_malloc (MAX (elements, 1) * sizeof (float));
  if (values == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_MEMORY, "no memory for array '%s'", array->name);
    return NULL;
  }
  if (!job->source (array, values, job->user_data, error))
    return NULL;
  if (array->dtype == RVM_DTYPE_F32)
    return g_steal_pointer (&values);
  halves = g_malloc (MAX (bytes, 1));
  for (gsize i = 0; i < elements; i++) {
    halves[i] = array->dtype == RVM_DTYPE_F16 ? rvm_float_to_half (values[i]) : rvm_float_to_bfloat (values[i]);
    if (array->dtype == RVM_DTYPE_F16 && (halves[i] & 0x7c00) == 0x7c00) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "array '%s' has the value %g, which f16 cannot hold (try bf16)", array->name,
          values[i]);
      g_free (halves);
      return NULL;
    }
  }
  return halves;
}

/* Names and metadata may come from outside; a header that is not UTF-8 could not be read by anybody. */
static void
set_member_name (JsonBuilder *builder, const char *name)
{
  g_autofree char *text = rvm_text_from_bytes (name);

  json_builder_set_member_name (builder, text);
}

char *
rvm_safetensors_format_header (const RvmArray *arrays, guint n_arrays, GHashTable *metadata)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;
  guint64 at = 0;

  json_builder_begin_object (builder);
  if (metadata && g_hash_table_size (metadata) > 0) {
    g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (metadata), (GCompareFunc) strcmp);

    json_builder_set_member_name (builder, "__metadata__");
    json_builder_begin_object (builder);
    for (GList *key = keys; key; key = key->next) {
      g_autofree char *text = rvm_text_from_bytes (g_hash_table_lookup (metadata, key->data));

      set_member_name (builder, key->data);
      json_builder_add_string_value (builder, text);
    }
    json_builder_end_object (builder);
  }
  for (guint i = 0; i < n_arrays; i++) {
    const RvmArray *array = &arrays[i];
    guint64 elements, bytes = 0;

    rvm_array_get_size (array, &elements, &bytes);
    set_member_name (builder, array->name);
    json_builder_begin_object (builder);
    json_builder_set_member_name (builder, "dtype");
    json_builder_add_string_value (builder, rvm_dtype_get_name (array->dtype));
    json_builder_set_member_name (builder, "shape");
    json_builder_begin_array (builder);
    for (guint d = 0; d < array->n_dims; d++)
      json_builder_add_int_value (builder, array->dims[d]);
    json_builder_end_array (builder);
    json_builder_set_member_name (builder, "data_offsets");
    json_builder_begin_array (builder);
    json_builder_add_int_value (builder, at);
    json_builder_add_int_value (builder, at += bytes);
    json_builder_end_array (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  return json_generator_to_data (generator, NULL);
}

static gboolean
write_all (FILE *file, gconstpointer data, gsize size, const char *path, GError **error)
{
  if (size == 0 || fwrite (data, 1, size, file) == size)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
  return FALSE;
}

static gboolean
write_safetensors (const Job *job, const char *path, GError **error)
{
  g_autofree char *header = rvm_safetensors_format_header (job->arrays, job->n_arrays, job->metadata), *padded = NULL;
  const gsize length = (strlen (header) + 7) / 8 * 8; /* the data begin at a multiple of 8 */
  guint8 prefix[8];
  FILE *file;
  gboolean ok;

  if (length > RVM_SAFETENSORS_MAX_HEADER) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: its header, names and metadata, would have %" G_GSIZE_FORMAT " bytes, expected at most %d",
        path, length, RVM_SAFETENSORS_MAX_HEADER);
    return FALSE;
  }
  file = fopen (path, "wbe");
  if (file == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    return FALSE;
  }
  for (guint i = 0; i < sizeof prefix; i++)
    prefix[i] = (guint64) length >> 8 * i;
  padded = g_strdup_printf ("%-*s", (int) length, header);
  ok = write_all (file, prefix, sizeof prefix, path, error) && write_all (file, padded, length, path, error);
  for (guint i = 0; ok && i < job->n_arrays; i++) {
    gsize size;
    g_autofree guint8 *bytes = make_bytes (job, &job->arrays[i], &size, error);
    ok = bytes && write_all (file, bytes, size, path, error);
  }
  if (fclose (file) != 0 && ok) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    ok = FALSE;
  }
  return ok;
}

/* An entry of a zip being written: libzip asks for the bytes when it gets to it. */
typedef struct {
  const Job *job;
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
      entry->bytes = *entry->error ? NULL : make_bytes (entry->job, entry->array, &size, entry->error);
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

static gboolean
write_npz (const Job *job, const char *path, GError **error)
{
  g_autofree ZipEntry *entries = g_new0 (ZipEntry, job->n_arrays);
  g_autoptr (GError) reason = NULL;
  int code;
  zip_t *zip = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  gboolean ok = zip != NULL;

  for (guint i = 0; ok && i < job->n_arrays; i++) {
    g_autofree char *name = g_strconcat (job->arrays[i].name, ".npy", NULL);
    zip_source_t *source;
    zip_int64_t index;

    entries[i] = (ZipEntry){ .job = job, .array = &job->arrays[i], .error = &reason };
    entries[i].header = rvm_npy_format_header (&job->arrays[i], 0);
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
  for (guint i = 0; i < job->n_arrays; i++)
    g_clear_pointer (&entries[i].header, g_bytes_unref);
  return ok;
}

/* A file or folder. */
static gboolean
flush_to_disk (const char *path)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  const gboolean ok = fd >= 0 && fsync (fd) == 0;
  const int saved = errno;

  if (fd >= 0)
    close (fd);
  errno = saved;
  return ok;
}

/* Opens @temporary as anybody would: a header that can be parsed, the arrays and the size that were asked for. Then @check. */
static gboolean
read_back (const Job *job, const char *temporary, const char *path, RvmWeightsCheck check, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (RvmWeights) weights = rvm_weights_open (temporary, &reason);

  if (weights && rvm_weights_get_n_arrays (weights) != job->n_arrays)
    rvm_error_set (&reason, RVM_ERROR_FORMAT, "it has %u arrays, expected %u", rvm_weights_get_n_arrays (weights), job->n_arrays);
  for (guint i = 0; reason == NULL && i < job->n_arrays; i++)
    if (rvm_weights_find (weights, job->arrays[i].name) == NULL)
      rvm_error_set (&reason, RVM_ERROR_FORMAT, "it has no array '%s'", job->arrays[i].name);
  if (reason == NULL && (check == NULL || check (weights, job->user_data, &reason)))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: what was written cannot be read back: %s", path, reason->message);
  return FALSE;
}

gboolean
rvm_weights_save_checked (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, RvmWeightsCheck check,
    gpointer user_data, GHashTable *metadata, GError **error)
{
  const Job job = { arrays, n_arrays, source, user_data, metadata };
  const gboolean npz = g_str_has_suffix (path, ".npz");
  static gint serial;
  g_autofree char *temporary = NULL, *folder = g_path_get_dirname (path);
  gboolean ok;

  if (!npz && !g_str_has_suffix (path, ".safetensors")) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: the name of a weight file must end in .npz or .safetensors", path);
    return FALSE;
  }
  for (guint i = 0; npz && i < n_arrays; i++)
    if (arrays[i].dtype == RVM_DTYPE_BF16) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: npz files cannot hold bf16 (numpy has no such type)", path);
      return FALSE;
    }
  temporary = g_strdup_printf ("%s.%d-%d.part", path, (int) getpid (), g_atomic_int_add (&serial, 1));
  ok = npz ? write_npz (&job, temporary, error) : write_safetensors (&job, temporary, error);
  if (ok && !flush_to_disk (temporary)) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    ok = FALSE;
  }
  ok = ok && read_back (&job, temporary, path, check, error);
  if (ok && rename (temporary, path) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    ok = FALSE;
  }
  if (!ok)
    unlink (temporary);
  else
    flush_to_disk (folder); /* the new name, before the caller deletes an older file; not every file system can */
  return ok;
}

gboolean
rvm_weights_save (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, gpointer user_data,
    GHashTable *metadata, GError **error)
{
  return rvm_weights_save_checked (path, arrays, n_arrays, source, NULL, user_data, metadata, error);
}
