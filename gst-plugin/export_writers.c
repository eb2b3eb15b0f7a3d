/* Writing of .npy files that grow, and of JSON lines. */
#include "export_writers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/npy.h"

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

/* Nanoseconds, or null. */
static void
append_time (GString * line, const gchar * key, GstClockTime time)
{
  if (GST_CLOCK_TIME_IS_VALID (time))
    g_string_append_printf (line, ", \"%s\": %" G_GUINT64_FORMAT, key, time);
  else
    g_string_append_printf (line, ", \"%s\": null", key);
}

static void
append_number (GString * line, const gchar * key, gdouble value)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (line, ", \"%s\": %s", key,
      g_ascii_formatd (number, sizeof number, "%.9g", value));
}

/* What rvmtrack found, if it ran. */
static void
append_tracks (GString * line, GstBuffer * buffer)
{
  const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);

  if (meta == NULL)
    return;
  g_string_append (line, ", \"tracks\": [");
  for (guint i = 0; i < meta->n_tracks; i++) {
    const GstRvmTrack *track = &meta->tracks[i];

    g_string_append_printf (line, "%s{\"id\": %u, \"kind\": \"%s\"",
        i ? ", " : "", track->id,
        track->kind == GST_RVM_TRACK_BOX ? "box" : "point");
    append_number (line, "x", track->x);
    append_number (line, "y", track->y);
    if (track->kind == GST_RVM_TRACK_BOX) {
      append_number (line, "width", track->width);
      append_number (line, "height", track->height);
    }
    append_number (line, "confidence", track->confidence);
    g_string_append_printf (line, ", \"visible\": %s",
        track->visible ? "true" : "false");
    append_time (line, "first_seen", track->first_seen);
    append_time (line, "last_seen", track->last_seen);
    g_string_append_c (line, '}');
  }
  g_string_append_c (line, ']');
}

gchar *
rvm_format_json_line (guint64 index, GstBuffer * buffer,
    const GstRvmFeatureMeta * meta)
{
  GString *line = g_string_new (NULL);
  /* An identifier of hexadecimal digits: nothing in it needs escaping. */
  const gchar *id = meta->model_id ? meta->model_id : "";
  g_autofree gchar *escaped = g_strescape (id, NULL);

  g_string_append_printf (line, "{\"index\": %" G_GUINT64_FORMAT, index);
  append_time (line, "pts", GST_BUFFER_PTS (buffer));
  append_time (line, "duration", GST_BUFFER_DURATION (buffer));
  g_string_append_printf (line, ", \"generation\": %" G_GUINT64_FORMAT
      ", \"frames_since_reset\": %" G_GUINT64_FORMAT, meta->generation,
      meta->frames_since_reset);
  append_time (line, "update_pts", meta->update_pts);
  g_string_append_printf (line, ", \"carried\": %s, \"model_id\": \"%s\""
      ", \"rows\": %u, \"columns\": %u, \"dim\": %u"
      ", \"frame_size\": [%u, %u], \"analysis_size\": [%u, %u]",
      meta->carried ? "true" : "false", escaped, meta->rows, meta->columns,
      meta->dim, meta->frame_width, meta->frame_height, meta->analysis_width,
      meta->analysis_height);
  g_string_append_printf (line, ", \"restored\": %s",
      meta->restored ? "true" : "false");
  append_time (line, "restored_pts", meta->restored_pts);
  append_time (line, "restored_age", meta->restored_age);
  g_string_append_printf (line, ", \"carried_count\": %" G_GUINT64_FORMAT
      ", \"dropped_count\": %" G_GUINT64_FORMAT, meta->carried_count,
      meta->dropped_count);
  if (meta->parts & GST_RVM_FEATURE_CLASS) {
    const gfloat *token = g_bytes_get_data (meta->data, NULL);
    gchar number[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append (line, ", \"class_token\": [");
    /* Nine digits tell any two floats apart. */
    for (guint i = 0; i < meta->dim; i++)
      g_string_append_printf (line, "%s%s", i ? ", " : "",
          g_ascii_formatd (number, sizeof number, "%.9g", token[i]));
    g_string_append_c (line, ']');
  }
  append_tracks (line, buffer);
  g_string_append (line, "}\n");
  return g_string_free (line, FALSE);
}
