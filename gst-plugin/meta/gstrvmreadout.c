/* The readout meta and its copy. Tagged as video, size and orientation: a map is a grid over the upright picture, so that a change of scale leaves it as
 * it is. */
#include "gstrvmreadout.h"

#include <gst/video/video.h>
#include <string.h>

#include "gstrvmcopies.h"
#include "gstrvmfields.h"
#include "gstrvmregister.h"

GType
gst_rvm_readout_kind_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {GST_RVM_READOUT_CLASS, "Class", "class"},
      {GST_RVM_READOUT_DEPTH, "Depth", "depth"},
      {GST_RVM_READOUT_LABELS, "Labels", "labels"},
      {GST_RVM_READOUT_DISTANCE, "Distance", "distance"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmReadoutKind", values));
  }
  return type;
}

GType
gst_rvm_readout_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_boxed_type_register_static ("GstRvmReadout", (GBoxedCopyFunc) gst_rvm_readout_ref,
            (GBoxedFreeFunc) gst_rvm_readout_unref));
  return type;
}

GType
gst_rvm_readout_meta_api_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const gchar *tags[] = { GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_SIZE_STR, GST_META_TAG_VIDEO_ORIENTATION_STR, NULL };

    g_once_init_leave (&type, gst_meta_api_type_register ("GstRvmReadoutMetaAPI", tags));
  }
  return type;
}

static gboolean
readout_meta_init (GstMeta * meta, gpointer params, GstBuffer * buffer)
{
  GstRvmReadoutMeta *self = (GstRvmReadoutMeta *) meta;

  memset ((guint8 *) self + sizeof (GstMeta), 0, sizeof *self - sizeof (GstMeta));
  gst_rvm_fields_init (&gst_rvm_readout_fields, GST_RVM_IN_META, self);
  return TRUE;
}

static void
readout_meta_free (GstMeta * meta, GstBuffer * buffer)
{
  GstRvmReadoutMeta *self = (GstRvmReadoutMeta *) meta;

  gst_rvm_fields_clear (&gst_rvm_readout_fields, GST_RVM_IN_META, self);
  g_clear_pointer (&self->classes, g_strfreev);
  g_clear_pointer (&self->values, g_bytes_unref);
  g_clear_pointer (&self->logits, g_bytes_unref);
}

static gboolean
readout_meta_transform (GstBuffer * dest, GstMeta * meta, GstBuffer * buffer, GQuark type, gpointer data)
{
  g_autoptr (GstRvmReadout) copy = NULL;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    if (((const GstMetaTransformCopy *) data)->region)
      return FALSE;
  } else if (!GST_VIDEO_META_TRANSFORM_IS_SCALE (type)) {
    return FALSE;
  }
  copy = gst_rvm_readout_meta_get_readout ((const GstRvmReadoutMeta *) meta);
  gst_rvm_buffer_add_readout (dest, copy);
  return TRUE;
}

static GBytes *
readout_meta_to_bytes (const GstMeta * meta)
{
  g_autoptr (GstRvmReadout) copy = gst_rvm_readout_meta_get_readout ((const GstRvmReadoutMeta *) meta);

  return gst_rvm_readout_to_bytes (copy);
}

static GstMeta *
readout_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstRvmReadout) readout = gst_rvm_readout_new_from_bytes (bytes, &error);

  if (readout)
    return (GstMeta *) gst_rvm_buffer_add_readout (buffer, readout);
  GST_WARNING ("%s", error->message);
  return NULL;
}

const GstMetaInfo *
gst_rvm_readout_meta_get_info (void)
{
  static const GstRvmMetaBytes bytes = { readout_meta_to_bytes, readout_meta_from_bytes };
  static const GstMetaInfo *info = NULL;

  if (g_once_init_enter ((GstMetaInfo **) & info)) {
    const GstMetaInfo *registered = gst_rvm_meta_register (GST_RVM_READOUT_META_API_TYPE, "GstRvmReadoutMeta", sizeof (GstRvmReadoutMeta),
        readout_meta_init, readout_meta_free, readout_meta_transform, &bytes);

    g_once_init_leave ((GstMetaInfo **) & info, (GstMetaInfo *) registered);
  }
  return info;
}

gboolean
gst_rvm_readout_fits (guint kind, guint rows, guint columns, guint channels, gsize size)
{
  gsize expected;

  return kind <= GST_RVM_READOUT_DISTANCE && rows > 0 && columns > 0 && channels > 0 && g_size_checked_mul (&expected, rows, columns)
      && g_size_checked_mul (&expected, expected, channels) && g_size_checked_mul (&expected, expected, sizeof (gfloat)) && expected == size;
}

GstRvmReadoutMeta *
gst_rvm_buffer_add_readout_meta (GstBuffer * buffer, GstRvmReadoutKind kind, guint rows, guint columns, guint channels, GBytes * values)
{
  GstRvmReadoutMeta *meta;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (values != NULL, NULL);

  if (!gst_rvm_readout_fits (kind, rows, columns, channels, g_bytes_get_size (values)))
    return NULL;
  meta = (GstRvmReadoutMeta *) gst_buffer_add_meta (buffer, GST_RVM_READOUT_META_INFO, NULL);
  meta->kind = kind;
  meta->rows = rows;
  meta->columns = columns;
  meta->channels = channels;
  meta->values = g_bytes_ref (values);
  return meta;
}

static gboolean
is_of_name (const GstMeta * meta, gconstpointer name)
{
  return name == NULL || g_strcmp0 (((const GstRvmReadoutMeta *) meta)->readout, name) == 0;
}

GstRvmReadoutMeta *
gst_rvm_buffer_get_readout_meta_from (GstBuffer * buffer, const gchar * readout)
{
  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);

  return (GstRvmReadoutMeta *) gst_rvm_buffer_find_meta (buffer, GST_RVM_READOUT_META_API_TYPE, is_of_name, readout);
}

GstRvmReadout *
gst_rvm_readout_new (void)
{
  GstRvmReadout *readout = g_new0 (GstRvmReadout, 1);

  gst_rvm_fields_init (&gst_rvm_readout_fields, GST_RVM_IN_COPY, readout);
  g_atomic_ref_count_init (&readout->_ref_count);
  return readout;
}

GstRvmReadout *
gst_rvm_readout_meta_get_readout (const GstRvmReadoutMeta * meta)
{
  GstRvmReadout *readout = gst_rvm_readout_new ();

  gst_rvm_fields_copy (&gst_rvm_readout_fields, GST_RVM_IN_META, meta, GST_RVM_IN_COPY, readout);
  readout->_classes = g_strdupv (meta->classes);
  readout->_values = g_bytes_ref (meta->values);
  readout->_logits = meta->logits ? g_bytes_ref (meta->logits) : NULL;
  return readout;
}

GstRvmReadout *
gst_rvm_buffer_get_readout (GstBuffer * buffer, const gchar * readout)
{
  const GstRvmReadoutMeta *meta = gst_rvm_buffer_get_readout_meta_from (buffer, readout);

  return meta ? gst_rvm_readout_meta_get_readout (meta) : NULL;
}

GstRvmReadoutMeta *
gst_rvm_buffer_add_readout (GstBuffer * buffer, const GstRvmReadout * readout)
{
  GstRvmReadoutMeta *meta;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (readout != NULL && readout->_values != NULL, NULL);

  meta = gst_rvm_buffer_add_readout_meta (buffer, readout->kind, readout->rows, readout->columns, readout->channels, readout->_values);
  g_return_val_if_fail (meta != NULL, NULL);
  gst_rvm_fields_copy (&gst_rvm_readout_fields, GST_RVM_IN_COPY, readout, GST_RVM_IN_META, meta);
  meta->classes = g_strdupv (readout->_classes);
  meta->logits = readout->_logits ? g_bytes_ref (readout->_logits) : NULL;
  return meta;
}

GstRvmReadout *
gst_rvm_readout_ref (GstRvmReadout * readout)
{
  g_return_val_if_fail (readout != NULL, NULL);

  g_atomic_ref_count_inc (&readout->_ref_count);
  return readout;
}

void
gst_rvm_readout_unref (GstRvmReadout * readout)
{
  g_return_if_fail (readout != NULL);

  if (!g_atomic_ref_count_dec (&readout->_ref_count))
    return;
  gst_rvm_fields_clear (&gst_rvm_readout_fields, GST_RVM_IN_COPY, readout);
  g_clear_pointer (&readout->_classes, g_strfreev);
  g_clear_pointer (&readout->_values, g_bytes_unref);
  g_clear_pointer (&readout->_logits, g_bytes_unref);
  g_free (readout);
}

const gchar *const *
gst_rvm_readout_get_classes (const GstRvmReadout * readout)
{
  g_return_val_if_fail (readout != NULL, NULL);

  return (const gchar * const *) readout->_classes;
}

GBytes *
gst_rvm_readout_get_values (const GstRvmReadout * readout)
{
  g_return_val_if_fail (readout != NULL && readout->_values != NULL, NULL);

  return g_bytes_ref (readout->_values);
}

GBytes *
gst_rvm_readout_get_logits (const GstRvmReadout * readout)
{
  g_return_val_if_fail (readout != NULL, NULL);

  return readout->_logits ? g_bytes_ref (readout->_logits) : NULL;
}

/* The channel of the largest value at (@row, @column) of a map (@rows, @columns, @channels). */
static guint
find_best (GBytes * map, guint rows, guint columns, guint channels, guint row, guint column, gdouble * value)
{
  const gfloat *values = g_bytes_get_data (map, NULL);
  guint best = 0;

  if (value)
    *value = 0;
  if (row >= rows || column >= columns)
    return 0;
  values += ((gsize) row * columns + column) * channels;
  for (guint i = 1; i < channels; i++)
    if (values[i] > values[best])
      best = i;
  if (value)
    *value = values[best];
  return best;
}

guint
gst_rvm_readout_get_best (const GstRvmReadout * readout, guint row, guint column, gdouble * value)
{
  g_return_val_if_fail (readout != NULL && readout->_values != NULL, 0);

  return find_best (readout->_values, readout->rows, readout->columns, readout->channels, row, column, value);
}

guint
gst_rvm_readout_meta_get_best (const GstRvmReadoutMeta * meta, guint row, guint column, gdouble * value)
{
  g_return_val_if_fail (meta != NULL && meta->values != NULL, 0);

  return find_best (meta->values, meta->rows, meta->columns, meta->channels, row, column, value);
}
