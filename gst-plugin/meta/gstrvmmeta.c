/* The feature meta. Tagged as video, size and orientation: the grid belongs to the whole picture as it is, so the meta follows a change of scale and is
 * dropped by elements that cut or move the picture. */
#include "gstrvmmeta.h"

#include <gst/video/video.h>

#include "gstrvmserialise.h"

GType
gst_rvm_feature_parts_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GFlagsValue values[] = {
      {GST_RVM_FEATURE_CLASS, "Class token", "class"},
      {GST_RVM_FEATURE_PATCHES, "Patch tokens", "patches"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_flags_register_static ("GstRvmFeatureParts",
            values));
  }
  return type;
}

GType
gst_rvm_feature_meta_api_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const gchar *tags[] = { GST_META_TAG_VIDEO_STR,
      GST_META_TAG_VIDEO_SIZE_STR, GST_META_TAG_VIDEO_ORIENTATION_STR, NULL
    };
    g_once_init_leave (&type,
        gst_meta_api_type_register ("GstRvmFeatureMetaAPI", tags));
  }
  return type;
}

static gboolean
feature_meta_init (GstMeta * meta, gpointer params, GstBuffer * buffer)
{
  GstRvmFeatureMeta *self = (GstRvmFeatureMeta *) meta;

  self->parts = 0;
  self->rows = self->columns = self->dim = 0;
  self->data = NULL;
  self->generation = self->frames_since_reset = 0;
  self->update_pts = GST_CLOCK_TIME_NONE;
  self->carried = FALSE;
  self->model_id = NULL;
  self->frame_width = self->frame_height = 0;
  self->analysis_width = self->analysis_height = 0;
  self->restored = FALSE;
  self->restored_pts = self->restored_age = GST_CLOCK_TIME_NONE;
  self->carried_count = self->dropped_count = 0;
  return TRUE;
}

static void
feature_meta_free (GstMeta * meta, GstBuffer * buffer)
{
  GstRvmFeatureMeta *self = (GstRvmFeatureMeta *) meta;

  g_clear_pointer (&self->data, g_bytes_unref);
  g_clear_pointer (&self->model_id, g_free);
}

static gboolean
feature_meta_transform (GstBuffer * dest, GstMeta * meta, GstBuffer * buffer,
    GQuark type, gpointer data)
{
  const GstRvmFeatureMeta *self = (const GstRvmFeatureMeta *) meta;
  guint width = self->frame_width, height = self->frame_height;
  GstRvmFeatureMeta *copy;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    const GstMetaTransformCopy *region = data;

    /* Part of the bytes is not the picture that the grid covers. */
    if (region->region)
      return FALSE;
  } else if (GST_VIDEO_META_TRANSFORM_IS_SCALE (type)) {
    const GstVideoMetaTransform *scale = data;

    width = GST_VIDEO_INFO_WIDTH (scale->out_info);
    height = GST_VIDEO_INFO_HEIGHT (scale->out_info);
  } else {
    return FALSE;
  }

  copy = gst_rvm_buffer_add_feature_meta (dest, self->parts, self->rows,
      self->columns, self->dim, self->data, self->model_id);
  if (copy == NULL)
    return FALSE;
  copy->generation = self->generation;
  copy->frames_since_reset = self->frames_since_reset;
  copy->update_pts = self->update_pts;
  copy->carried = self->carried;
  copy->frame_width = width;
  copy->frame_height = height;
  copy->analysis_width = self->analysis_width;
  copy->analysis_height = self->analysis_height;
  copy->restored = self->restored;
  copy->restored_pts = self->restored_pts;
  copy->restored_age = self->restored_age;
  copy->carried_count = self->carried_count;
  copy->dropped_count = self->dropped_count;
  return TRUE;
}

const GstMetaInfo *
gst_rvm_feature_meta_get_info (void)
{
  static const GstMetaInfo *info = NULL;

  if (g_once_init_enter ((GstMetaInfo **) & info)) {
    const GstMetaInfo *registered =
        gst_rvm_meta_register (GST_RVM_FEATURE_META_API_TYPE, "GstRvmFeatureMeta",
        sizeof (GstRvmFeatureMeta), feature_meta_init, feature_meta_free,
        feature_meta_transform);
    g_once_init_leave ((GstMetaInfo **) & info, (GstMetaInfo *) registered);
  }
  return info;
}

static gsize
count_rows (GstRvmFeatureParts parts, guint rows, guint columns)
{
  return (parts & GST_RVM_FEATURE_CLASS ? 1 : 0) +
      (parts & GST_RVM_FEATURE_PATCHES ? (gsize) rows * columns : 0);
}

GstRvmFeatureMeta *
gst_rvm_buffer_add_feature_meta (GstBuffer * buffer, GstRvmFeatureParts parts,
    guint rows, guint columns, guint dim, GBytes * data, const gchar * model_id)
{
  GstRvmFeatureMeta *meta;
  gsize size;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (data != NULL, NULL);
  if (!g_size_checked_mul (&size, count_rows (parts, rows, columns), dim)
      || !g_size_checked_mul (&size, size, sizeof (gfloat))
      || size != g_bytes_get_size (data))
    return NULL;

  meta = (GstRvmFeatureMeta *) gst_buffer_add_meta (buffer,
      GST_RVM_FEATURE_META_INFO, NULL);
  if (meta == NULL)
    return NULL;
  meta->parts = parts;
  meta->rows = rows;
  meta->columns = columns;
  meta->dim = dim;
  meta->data = g_bytes_ref (data);
  meta->model_id = g_strdup (model_id);
  return meta;
}

GstRvmFeatureMeta *
gst_rvm_buffer_get_feature_meta (GstBuffer * buffer)
{
  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);

  return (GstRvmFeatureMeta *) gst_buffer_get_meta (buffer,
      GST_RVM_FEATURE_META_API_TYPE);
}

GBytes *
gst_rvm_feature_meta_get_data (const GstRvmFeatureMeta * meta)
{
  return g_bytes_ref (meta->data);
}

GBytes *
gst_rvm_feature_meta_get_class_token (const GstRvmFeatureMeta * meta)
{
  if (!(meta->parts & GST_RVM_FEATURE_CLASS))
    return NULL;
  return g_bytes_new_from_bytes (meta->data, 0, meta->dim * sizeof (gfloat));
}

GBytes *
gst_rvm_feature_meta_get_patches (const GstRvmFeatureMeta * meta)
{
  const gsize token = meta->dim * sizeof (gfloat);

  if (!(meta->parts & GST_RVM_FEATURE_PATCHES))
    return NULL;
  return g_bytes_new_from_bytes (meta->data,
      meta->parts & GST_RVM_FEATURE_CLASS ? token : 0,
      (gsize) meta->rows * meta->columns * token);
}
