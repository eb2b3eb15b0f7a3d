/* Writing of .npy files that grow. */
#include "export_writers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/format/npy.h"

#define HEADER_SIZE 256         /* room for any shape */

struct _RvmNpyWriter
{
  gchar *path;
  FILE *file;
  RvmArray array;
};

static gboolean
fail (const RvmNpyWriter * writer, GError ** error)
{
  const int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved),
      "%s: cannot be written: %s", writer->path, g_strerror (saved));
  return FALSE;
}

RvmNpyWriter *
rvm_npy_writer_new (const gchar * path, GError ** error)
{
  RvmNpyWriter *writer = g_new0 (RvmNpyWriter, 1);

  writer->path = g_strdup (path);
  writer->array.dtype = RVM_DTYPE_F32;
  writer->array.n_dims = 1;
  writer->file = fopen (path, "wbe");
  if (writer->file == NULL) {
    fail (writer, error);
    rvm_npy_writer_free (writer);
    return NULL;
  }
  return writer;
}

/* The header with the present shape, then the position at the end of the data. */
static gboolean
write_header (RvmNpyWriter * writer, GError ** error)
{
  g_autoptr (GBytes) header =
      rvm_npy_format_header (&writer->array, HEADER_SIZE);

  if (fflush (writer->file) != 0
      || pwrite (fileno (writer->file), g_bytes_get_data (header, NULL),
          HEADER_SIZE, 0) != HEADER_SIZE)
    return fail (writer, error);
  return TRUE;
}

gboolean
rvm_npy_writer_append (RvmNpyWriter * writer, const guint * dims,
    guint n_dims, GBytes * values, GError ** error)
{
  const gsize size = g_bytes_get_size (values);
  RvmArray frame = { 0 };

  frame.n_dims = 1 + n_dims;
  for (guint i = 0; i < n_dims; i++)
    frame.dims[1 + i] = dims[i];
  frame.dims[0] = writer->array.dims[0];
  if (writer->array.dims[0] == 0) {
    writer->array.n_dims = frame.n_dims;
    memcpy (writer->array.dims, frame.dims, sizeof frame.dims);
    if (!write_header (writer, error))
      return FALSE;
    if (fseeko (writer->file, HEADER_SIZE, SEEK_SET) != 0)
      return fail (writer, error);
  } else if (frame.n_dims != writer->array.n_dims
      || memcmp (frame.dims, writer->array.dims, sizeof frame.dims) != 0) {
    g_autofree gchar *have = rvm_array_format_shape (&writer->array);
    g_autofree gchar *got = rvm_array_format_shape (&frame);

    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
        "%s: holds frames of shape %s, the next one would make it %s; an .npy"
        " file has one shape (the frame counts are the same here)",
        writer->path, have, got);
    return FALSE;
  }
  /* Values first: a header never counts a frame that is not there. */
  if (fwrite (g_bytes_get_data (values, NULL), 1, size, writer->file) != size
      || fflush (writer->file) != 0)
    return fail (writer, error);
  writer->array.dims[0]++;
  return write_header (writer, error);
}

gboolean
rvm_npy_writer_close (RvmNpyWriter * writer, GError ** error)
{
  FILE *file = g_steal_pointer (&writer->file);
  gboolean ok = TRUE;

  if (writer->array.dims[0] == 0) {
    writer->file = file;
    ok = write_header (writer, error);
    writer->file = NULL;
  }
  if (fclose (file) != 0 && ok)
    ok = fail (writer, error);
  return ok;
}

void
rvm_npy_writer_free (RvmNpyWriter * writer)
{
  if (writer == NULL)
    return;
  if (writer->file)
    fclose (writer->file);
  g_free (writer->path);
  g_free (writer);
}
