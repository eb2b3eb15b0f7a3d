/* The header has a place of fixed size at the start of the file, padded with spaces. */
#include "export_safetensors.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "meta/gstrvmfields.h"
#include "model/format/safetensors.h"

#define START 4096              /* of the data: 8 bytes of length, then the header */

#define TEXT_LENGTH 128         /* bytes of a text of the header, at most */

/* Of each frame, in the file's order: the buffer's time, and fields of the metadata. */
static const gchar *const columns[] = { "pts", "update_pts", "generation", "frames_since_reset", "source", "update" };

/* Fields of the first frame that are in the header's metadata. */
static const gchar *const described[] = { "model_id", "frame_size", "analysis_size", "encoder", "stream_id" };

struct _RvmSafetensorsWriter
{
  gchar *path, *part, *class_part;
  FILE *file, *class_file;
  GstRvmFeatureParts parts;
  guint rows, columns, dim;
  guint64 frames;
  GArray *values[G_N_ELEMENTS (columns)];       /* gint64 */
  GByteArray *carried;
  GHashTable *metadata;
};

static gboolean
fail (const RvmSafetensorsWriter * writer, GError ** error)
{
  const int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "%s: cannot be written: %s", writer->path,
      g_strerror (saved));
  return FALSE;
}

RvmSafetensorsWriter *
rvm_safetensors_writer_new (const gchar * path, GError ** error)
{
  RvmSafetensorsWriter *writer = g_new0 (RvmSafetensorsWriter, 1);

  writer->path = g_strdup (path);
  writer->part = g_strconcat (path, ".part", NULL);
  writer->class_part = g_strconcat (path, ".class.part", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    writer->values[i] = g_array_new (FALSE, FALSE, sizeof (gint64));
  writer->carried = g_byte_array_new ();
  writer->metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_hash_table_insert (writer->metadata, "format", g_strdup ("gst-rvm features 1"));
  writer->file = fopen (writer->part, "wbe");
  writer->class_file = writer->file ? fopen (writer->class_part, "w+be") : NULL;
  if (writer->class_file == NULL || fseeko (writer->file, START, SEEK_SET) != 0) {
    fail (writer, error);
    g_clear_pointer (&writer, rvm_safetensors_writer_free);
  }
  return writer;
}

void
rvm_safetensors_writer_free (RvmSafetensorsWriter * writer)
{
  if (writer == NULL)
    return;
  if (writer->file) {
    fclose (writer->file);
    g_unlink (writer->part);
  }
  if (writer->class_file) {
    fclose (writer->class_file);
    g_unlink (writer->class_part);
  }
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    g_array_unref (writer->values[i]);
  g_byte_array_unref (writer->carried);
  g_hash_table_unref (writer->metadata);
  g_free (writer->path);
  g_free (writer->part);
  g_free (writer->class_part);
  g_free (writer);
}

static const GstRvmField *
find_field (const gchar * name)
{
  for (guint i = 0; i < gst_rvm_feature_fields.n; i++)
    if (g_str_equal (gst_rvm_feature_fields.list[i].name, name))
      return &gst_rvm_feature_fields.list[i];
  g_return_val_if_reached (NULL);
}

/* (transfer full): a field as text of at most TEXT_LENGTH bytes. */
static gchar *
describe_field (const GstRvmFeatureMeta * meta, const gchar * name)
{
  const GstRvmField *field = find_field (name);
  gconstpointer at = G_STRUCT_MEMBER_P (meta, field->offsets[GST_RVM_IN_META]);
  const gchar *text, *end;

  if (field->kind == GST_RVM_FIELD_SIZE)
    return g_strdup_printf ("%ux%u", ((const guint *) at)[0], ((const guint *) at)[1]);
  text = *(gchar * const *) at;
  if (text == NULL)
    return g_strdup ("");
  end = text + MIN (strlen (text), TEXT_LENGTH);
  /* Not in the middle of a character. */
  while (end > text && (*end & 0xc0) == 0x80)
    end--;
  return g_utf8_make_valid (text, end - text);
}

/* The first frame says what all are like. */
static gboolean
check_shape (RvmSafetensorsWriter * writer, const GstRvmFeatureMeta * meta, GError ** error)
{
  if (writer->frames == 0) {
    writer->parts = meta->parts;
    writer->rows = meta->rows;
    writer->columns = meta->columns;
    writer->dim = meta->dim;
    for (guint i = 0; i < G_N_ELEMENTS (described); i++)
      g_hash_table_insert (writer->metadata, (gpointer) described[i], describe_field (meta, described[i]));
    return TRUE;
  }
  if (meta->parts == writer->parts && meta->rows == writer->rows && meta->columns == writer->columns && meta->dim == writer->dim)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: holds %u x %u patches of %u numbers (parts %u), the next frame has"
      " %u x %u of %u (parts %u); a file has one shape", writer->path, writer->rows, writer->columns, writer->dim,
      writer->parts, meta->rows, meta->columns, meta->dim, meta->parts);
  return FALSE;
}

static gint64
time_or_minus_one (GstClockTime time)
{
  return GST_CLOCK_TIME_IS_VALID (time) ? (gint64) time : -1;
}

/* Of a count, a time or an id. */
static gint64
get_column (const GstRvmFeatureMeta * meta, const gchar * name)
{
  const GstRvmField *field = find_field (name);
  const guint64 value = *(const guint64 *) G_STRUCT_MEMBER_P (meta, field->offsets[GST_RVM_IN_META]);

  return field->kind == GST_RVM_FIELD_TIME ? time_or_minus_one (value) : (gint64) value;
}

gboolean
rvm_safetensors_writer_append (RvmSafetensorsWriter * writer, GstClockTime pts, const GstRvmFeatureMeta * meta, GError ** error)
{
  g_autoptr (GBytes) patches = gst_rvm_feature_meta_get_patches (meta), token = gst_rvm_feature_meta_get_class_token (meta);
  const guint8 carried = meta->carried != FALSE;

  if (!check_shape (writer, meta, error))
    return FALSE;
  if ((patches && fwrite (g_bytes_get_data (patches, NULL), g_bytes_get_size (patches), 1, writer->file) != 1)
      || (token && fwrite (g_bytes_get_data (token, NULL), g_bytes_get_size (token), 1, writer->class_file) != 1))
    return fail (writer, error);
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++) {
    const gint64 value = i == 0 ? time_or_minus_one (pts) : get_column (meta, columns[i]);

    g_array_append_val (writer->values[i], value);
  }
  g_byte_array_append (writer->carried, &carried, 1);
  writer->frames++;
  return TRUE;
}

/* The class tokens behind the patches. */
static gboolean
copy_class_tokens (RvmSafetensorsWriter * writer)
{
  guint8 block[65536];
  gsize size;

  if (fflush (writer->class_file) != 0 || fseeko (writer->class_file, 0, SEEK_SET) != 0)
    return FALSE;
  while ((size = fread (block, 1, sizeof block, writer->class_file)) > 0)
    if (fwrite (block, 1, size, writer->file) != size)
      return FALSE;
  return !ferror (writer->class_file);
}

static gboolean
write_columns (RvmSafetensorsWriter * writer)
{
  if (writer->frames == 0)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    if (fwrite (writer->values[i]->data, sizeof (gint64), writer->frames, writer->file) != writer->frames)
      return FALSE;
  return fwrite (writer->carried->data, 1, writer->frames, writer->file) == writer->frames;
}

static gboolean
write_header (RvmSafetensorsWriter * writer)
{
  const guint64 frames = writer->frames, length = START - 8;
  RvmArray arrays[3 + G_N_ELEMENTS (columns)] = { 0 };
  g_autofree gchar *header = NULL, *padded = NULL;
  guint8 prefix[8];
  guint n = 0;

  if (writer->parts & GST_RVM_FEATURE_PATCHES)
    arrays[n++] = (RvmArray) {.name = (gchar *) "features",.dtype = RVM_DTYPE_F32,.n_dims = 4,
      .dims = {frames, writer->rows, writer->columns, writer->dim}};
  if (writer->parts & GST_RVM_FEATURE_CLASS)
    arrays[n++] = (RvmArray) {.name = (gchar *) "class_tokens",.dtype = RVM_DTYPE_F32,.n_dims = 2,.dims = {frames, writer->dim}};
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    arrays[n++] = (RvmArray) {.name = (gchar *) columns[i],.dtype = RVM_DTYPE_I64,.n_dims = 1,.dims = {frames}};
  arrays[n++] = (RvmArray) {.name = (gchar *) "carried",.dtype = RVM_DTYPE_U8,.n_dims = 1,.dims = {frames}};
  header = rvm_safetensors_format_header (arrays, n, writer->metadata);
  padded = g_strdup_printf ("%-*s", (gint) length, header);
  for (guint i = 0; i < sizeof prefix; i++)
    prefix[i] = length >> 8 * i;
  /* Nine short arrays, and three texts of TEXT_LENGTH bytes, each of which takes six of the header at most: there is room. */
  g_return_val_if_fail (strlen (padded) == length, FALSE);
  return fseeko (writer->file, 0, SEEK_SET) == 0 && fwrite (prefix, sizeof prefix, 1, writer->file) == 1
      && fwrite (padded, length, 1, writer->file) == 1;
}

gboolean
rvm_safetensors_writer_close (RvmSafetensorsWriter * writer, GError ** error)
{
  gboolean good = copy_class_tokens (writer) && write_columns (writer) && write_header (writer)
      && fflush (writer->file) == 0 && fsync (fileno (writer->file)) == 0;

  if (!good)
    return fail (writer, error);
  good = fclose (g_steal_pointer (&writer->file)) == 0 && g_rename (writer->part, writer->path) == 0;
  if (!good) {
    fail (writer, error);
    g_unlink (writer->part);
  }
  return good;
}
