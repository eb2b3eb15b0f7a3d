/* The header has a fixed size and is written last, when the number of moments is known. The unfinished file lies beside its place, under a name of this
 * process, so that two processes never write to one. */
#include "features_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/error.h"
#include "model/format/npy.h"

enum { HEADER = 256 };

struct _RvmFeaturesFile {
  char *path, *part;
  FILE *file;
  RvmArray array;
};

char *
rvm_features_file_get_name (const char *path)
{
  char hash[RVM_HASH_SIZE];

  rvm_hash_bytes (path, strlen (path), hash);
  return g_strdup_printf ("features/%.2s/%s.npy", hash, hash);
}

static gboolean
fail (const RvmFeaturesFile *file, GError **error)
{
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", file->path, g_strerror (errno));
  return FALSE;
}

static RvmArray
make_array (guint64 moments, guint rows, guint columns, guint dim)
{
  return (RvmArray){ .dtype = RVM_DTYPE_F16, .n_dims = 4, .dims = { moments, rows, columns, dim } };
}

RvmFeaturesFile *
rvm_features_file_new (const char *folder, const char *path, guint rows, guint columns, guint dim, GError **error)
{
  g_autoptr (RvmFeaturesFile) file = g_new0 (RvmFeaturesFile, 1);
  g_autofree char *name = rvm_features_file_get_name (path), *below = NULL;
  const guint8 nothing[HEADER] = { 0 };

  file->path = g_build_filename (folder, name, NULL);
  file->part = g_strdup_printf ("%s.%s-%d.part", file->path, g_get_host_name (), (int) getpid ());
  file->array = make_array (0, rows, columns, dim);
  below = g_path_get_dirname (file->path);
  if (g_mkdir_with_parents (below, 0777) != 0 || !(file->file = fopen (file->part, "wbe")) || fwrite (nothing, 1, HEADER, file->file) != HEADER) {
    fail (file, error);
    return NULL;
  }
  return g_steal_pointer (&file);
}

void
rvm_features_file_free (RvmFeaturesFile *file)
{
  if (file == NULL)
    return;
  if (file->file) {
    fclose (file->file);
    g_unlink (file->part);
  }
  g_free (file->path);
  g_free (file->part);
  g_free (file);
}

gboolean
rvm_features_file_append (RvmFeaturesFile *file, const guint16 *values, GError **error)
{
  const gsize count = file->array.dims[1] * file->array.dims[2] * file->array.dims[3];

  file->array.dims[0]++;
  return fwrite (values, sizeof *values, count, file->file) == count || fail (file, error);
}

/* The name in the folder must be on the disk, too, before the database has it. */
static gboolean
sync_folder (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  const int fd = g_open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  const gboolean ok = fd >= 0 && (fsync (fd) == 0 || errno == EINVAL);

  if (fd >= 0)
    close (fd);
  return ok;
}

gboolean
rvm_features_file_finish (RvmFeaturesFile *file, char hash[RVM_HASH_SIZE], gint64 *size, GError **error)
{
  g_autoptr (GBytes) header = rvm_npy_format_header (&file->array, HEADER);
  guint64 elements, bytes;
  FILE *closing;

  if (fseeko (file->file, 0, SEEK_SET) != 0 || fwrite (g_bytes_get_data (header, NULL), 1, HEADER, file->file) != HEADER
      || fflush (file->file) != 0 || fsync (fileno (file->file)) != 0 || !rvm_hash_file (file->part, hash, error))
    return error && *error ? FALSE : fail (file, error);
  closing = g_steal_pointer (&file->file);
  if (fclose (closing) != 0 || g_rename (file->part, file->path) != 0 || !sync_folder (file->path)) {
    fail (file, error);
    g_unlink (file->part);
    return FALSE;
  }
  rvm_array_get_size (&file->array, &elements, &bytes);
  *size = HEADER + bytes;
  return TRUE;
}

GBytes *
rvm_features_file_map (const char *path, guint64 moments, guint rows, guint columns, guint dim, GError **error)
{
  g_autoptr (GMappedFile) map = g_mapped_file_new (path, FALSE, error);
  g_autoptr (GBytes) bytes = map ? g_mapped_file_get_bytes (map) : NULL;
  const RvmArray expected = make_array (moments, rows, columns, dim);
  RvmArray array = { 0 };
  guint64 elements, wanted;
  gsize size, header;

  if (bytes == NULL || !rvm_npy_parse_header (g_bytes_get_data (bytes, &size), g_bytes_get_size (bytes), path, &array, &header, error))
    return NULL;
  if (array.dtype != RVM_DTYPE_F16 || array.fortran || array.n_dims != 4 || memcmp (array.dims, expected.dims, 4 * sizeof *array.dims) != 0
      || !rvm_array_get_size (&array, &elements, &wanted) || size - header != wanted) {
    g_autofree char *have = rvm_array_format_shape (&array), *want = rvm_array_format_shape (&expected);
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: holds %s %s in %" G_GSIZE_FORMAT " bytes, expected F16 %s", path, rvm_array_get_dtype_name (&array), have,
        size, want);
    return NULL;
  }
  return g_bytes_new_from_bytes (bytes, header, wanted);
}
