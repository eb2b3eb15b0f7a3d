/* Reading of .npz files. Headers are read when the file is opened, values of an entry when they are asked for. */
#include "npz.h"

#include <string.h>
#include <zip.h>

#define MAX_HEADER (64 * 1024) /* numpy's are about 100 bytes */

typedef struct {
  zip_uint64_t index;
  gsize header_size;
  GError *fault; /* why the array cannot be read, or NULL */
} Entry;

struct _RvmNpz {
  char *path;
  zip_t *zip;
  GArray *arrays;  /* of RvmArray */
  GArray *entries; /* of Entry, in the same order */
  GHashTable *by_name;
};

static void
entry_clear (gpointer data)
{
  g_clear_error (&((Entry *) data)->fault);
}

void
rvm_npz_free (RvmNpz *npz)
{
  if (npz == NULL)
    return;
  if (npz->zip)
    zip_discard (npz->zip);
  g_hash_table_unref (npz->by_name);
  g_array_unref (npz->arrays);
  g_array_unref (npz->entries);
  g_free (npz->path);
  g_free (npz);
}

/* Up to @size bytes of an entry; fewer only at its end. -1 after a failure. */
static gssize
read_fully (zip_file_t *file, gpointer data, gsize size)
{
  gsize done = 0;

  while (done < size) {
    const zip_int64_t count = zip_fread (file, (guint8 *) data + done, MIN (size - done, G_MAXINT32));
    if (count < 0)
      return -1;
    if (count == 0)
      break;
    done += count;
  }
  return done;
}

/* Fills in @array and @entry as far as the entry can be read. An error goes to @entry->fault. */
static void
read_header (RvmNpz *npz, const zip_stat_t *info, RvmArray *array, Entry *entry)
{
  g_autofree guint8 *data = g_malloc (MAX_HEADER);
  g_autofree char *where = g_strdup_printf ("%s: entry '%s'", npz->path, info->name);
  zip_file_t *file = zip_fopen_index (npz->zip, entry->index, 0);
  gssize size = file ? read_fully (file, data, MIN (info->size, MAX_HEADER)) : -1;
  g_autofree char *shape = NULL;
  guint64 elements, bytes;

  if (size < 0)
    rvm_error_set (&entry->fault, RVM_ERROR_FORMAT, "%s: damaged: %s", where, file ? zip_file_strerror (file) : zip_strerror (npz->zip));
  if (file)
    zip_fclose (file);
  if (entry->fault || !rvm_npy_parse_header (data, size, where, array, &entry->header_size, &entry->fault)) {
    *array = (RvmArray){ .name = array->name };
    rvm_array_set_other_dtype (array, "unreadable", strlen ("unreadable"));
    return;
  }
  if (array->dtype == RVM_DTYPE_OTHER)
    return;
  shape = rvm_array_format_shape (array);
  if (!rvm_array_get_size (array, &elements, &bytes))
    rvm_error_set (&entry->fault, RVM_ERROR_FORMAT, "%s: shape %s is too large", where, shape);
  else if (info->size != entry->header_size + bytes)
    rvm_error_set (&entry->fault, RVM_ERROR_FORMAT,
        "%s: shape %s of %s needs %" G_GUINT64_FORMAT " bytes, the entry holds %" G_GUINT64_FORMAT, where, shape,
        rvm_dtype_get_name (array->dtype), bytes, (guint64) (info->size - MIN (info->size, entry->header_size)));
  else if (array->fortran)
    rvm_error_set (&entry->fault, RVM_ERROR_FORMAT, "%s: the array is in Fortran order, expected C order (numpy.ascontiguousarray)", where);
}

/* If two entries have the same name, neither can be read, because it is unknown which one was meant. */
static void
note_repeated (RvmNpz *npz, guint position)
{
  Entry *entry = &g_array_index (npz->entries, Entry, position);

  if (entry->fault == NULL)
    rvm_error_set (&entry->fault, RVM_ERROR_FORMAT, "%s: entry '%s.npy': there are two of it", npz->path,
        rvm_npz_get_array (npz, position)->name);
}

static gboolean
add_entry (RvmNpz *npz, zip_uint64_t index, GError **error)
{
  RvmArray array = { 0 };
  Entry entry = { .index = index };
  zip_stat_t info;
  guint before;

  if (zip_stat_index (npz->zip, index, 0, &info) != 0 || !(info.valid & ZIP_STAT_NAME) || !(info.valid & ZIP_STAT_SIZE)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: entry %" G_GUINT64_FORMAT " has no name or size", npz->path, (guint64) index);
    return FALSE;
  }
  if (!g_str_has_suffix (info.name, ".npy"))
    return TRUE;
  array.name = g_strndup (info.name, strlen (info.name) - strlen (".npy"));
  read_header (npz, &info, &array, &entry);
  before = GPOINTER_TO_UINT (g_hash_table_lookup (npz->by_name, array.name));
  g_array_append_val (npz->arrays, array);
  g_array_append_val (npz->entries, entry);
  if (before) {
    note_repeated (npz, before - 1);
    note_repeated (npz, npz->arrays->len - 1);
  } else {
    g_hash_table_insert (npz->by_name, array.name, GUINT_TO_POINTER (npz->arrays->len));
  }
  return TRUE;
}

RvmNpz *
rvm_npz_open (const char *path, GError **error)
{
  g_autoptr (RvmNpz) npz = g_new0 (RvmNpz, 1);
  zip_int64_t count;
  int code;

  npz->path = g_strdup (path);
  npz->arrays = g_array_new (FALSE, TRUE, sizeof (RvmArray));
  g_array_set_clear_func (npz->arrays, (GDestroyNotify) rvm_array_clear);
  npz->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  g_array_set_clear_func (npz->entries, entry_clear);
  npz->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  npz->zip = zip_open (path, ZIP_RDONLY, &code);
  if (npz->zip == NULL) {
    zip_error_t reason;

    zip_error_init_with_code (&reason, code);
    rvm_error_set (error, code == ZIP_ER_OPEN || code == ZIP_ER_NOENT || code == ZIP_ER_READ ? RVM_ERROR_FILE : RVM_ERROR_FORMAT,
        "%s: cannot be read as an npz file: %s", path, zip_error_strerror (&reason));
    zip_error_fini (&reason);
    return NULL;
  }
  count = zip_get_num_entries (npz->zip, 0);
  for (zip_int64_t i = 0; i < count; i++)
    if (!add_entry (npz, i, error))
      return NULL;
  if (npz->arrays->len == 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: a zip, but not an npz file: %s", path, count > 0 ? "none of its entries is an .npy array" : "it is empty");
    return NULL;
  }
  return g_steal_pointer (&npz);
}

guint
rvm_npz_get_n_arrays (const RvmNpz *npz)
{
  return npz->arrays->len;
}

const RvmArray *
rvm_npz_get_array (const RvmNpz *npz, guint index)
{
  return &g_array_index (npz->arrays, RvmArray, index);
}

const RvmArray *
rvm_npz_find (const RvmNpz *npz, const char *name)
{
  const guint position = GPOINTER_TO_UINT (g_hash_table_lookup (npz->by_name, name)); /* 1 and up */

  return position ? rvm_npz_get_array (npz, position - 1) : NULL;
}

static const Entry *
find_entry (const RvmNpz *npz, const RvmArray *array)
{
  return &g_array_index (npz->entries, Entry, array - (const RvmArray *) npz->arrays->data);
}

gboolean
rvm_npz_check (const RvmNpz *npz, const RvmArray *array, GError **error)
{
  const Entry *entry = find_entry (npz, array);

  if (entry->fault)
    g_propagate_error (error, g_error_copy (entry->fault));
  return entry->fault == NULL;
}

gboolean
rvm_npz_read (RvmNpz *npz, const RvmArray *array, gpointer data, gsize size, GError **error)
{
  const Entry *entry = find_entry (npz, array);
  g_autofree guint8 *header = NULL;
  zip_file_t *file;
  gboolean ok = FALSE;
  guint8 beyond;

  if (!rvm_npz_check (npz, array, error))
    return FALSE;
  if (array->dtype == RVM_DTYPE_OTHER) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s': values of dtype %s cannot be read", npz->path, array->name, array->other);
    return FALSE;
  }
  header = g_malloc (entry->header_size);
  file = zip_fopen_index (npz->zip, entry->index, 0);
  /* libzip compares the checksum when it reads past the end. */
  if (file)
    ok = read_fully (file, header, entry->header_size) == (gssize) entry->header_size && read_fully (file, data, size) == (gssize) size
        && read_fully (file, &beyond, 1) == 0;
  if (!ok)
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s' is damaged: %s", npz->path, array->name,
        file ? zip_file_strerror (file) : zip_strerror (npz->zip));
  if (file)
    zip_fclose (file);
  return ok;
}

/* A zip file begins with "PK" and is longer than a signature. */
static gboolean
probe (const guint8 *head, gsize size)
{
  return size >= 4 && memcmp (head, "PK", 2) == 0;
}

static gpointer
format_open (const char *path, GError **error)
{
  return rvm_npz_open (path, error);
}

static void
format_free (gpointer file)
{
  rvm_npz_free (file);
}

static guint
format_get_n_arrays (gconstpointer file)
{
  return rvm_npz_get_n_arrays (file);
}

static const RvmArray *
format_get_array (gconstpointer file, guint index)
{
  return rvm_npz_get_array (file, index);
}

static gboolean
format_check (gconstpointer file, const RvmArray *array, GError **error)
{
  return rvm_npz_check (file, array, error);
}

static gboolean
format_read (gpointer file, const RvmArray *array, gpointer data, gsize size, GError **error)
{
  return rvm_npz_read (file, array, data, size, error);
}

const RvmFormat rvm_format_npz = {
  .name = "npz",
  .probe = probe,
  .open = format_open,
  .free = format_free,
  .get_n_arrays = format_get_n_arrays,
  .get_array = format_get_array,
  .check = format_check,
  .read = format_read,
  .dtypes = 1 << RVM_DTYPE_F32 | 1 << RVM_DTYPE_F16, /* numpy has no bfloat16 */
  .write = rvm_npz_write,
};
