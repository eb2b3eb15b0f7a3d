/* The feature meta. Tagged as video, size and orientation: the grid belongs to the whole picture as it is, so the meta follows a change of scale and is
 * dropped by elements that cut or move the picture. */
#include "gstrvmmeta.h"

#include <string.h>

#include <gst/video/video.h>

#include "gstrvmcopies.h"
#include "gstrvmfields.h"
#include "gstrvmregister.h"
#include "gstrvmupright.h"

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

  self->data = NULL;
  memset (self->_gst_reserved, 0, sizeof self->_gst_reserved);
  gst_rvm_fields_init (&gst_rvm_feature_fields, GST_RVM_IN_META, self);
  return TRUE;
}

static void
feature_meta_free (GstMeta * meta, GstBuffer * buffer)
{
  GstRvmFeatureMeta *self = (GstRvmFeatureMeta *) meta;

  g_clear_pointer (&self->data, g_bytes_unref);
  gst_rvm_fields_clear (&gst_rvm_feature_fields, GST_RVM_IN_META, self);
}

static gboolean
feature_meta_transform (GstBuffer * dest, GstMeta * meta, GstBuffer * buffer,
    GQuark type, gpointer data)
{
  const GstRvmFeatureMeta *self = (const GstRvmFeatureMeta *) meta;
  GstRvmUpright upright = { self->frame_width, self->frame_height,
    self->orientation, self->pixel_aspect_n, self->pixel_aspect_d
  };
  GstRvmFeatureMeta *copy;
  gdouble across, along;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    const GstMetaTransformCopy *region = data;

    /* Part of the bytes is not the picture that the grid covers. */
    if (region->region)
      return FALSE;
  } else if (GST_VIDEO_META_TRANSFORM_IS_SCALE (type)) {
    if (!gst_rvm_upright_scale (&upright, data, &across, &along))
      return FALSE;
  } else {
    return FALSE;
  }

  copy = gst_rvm_buffer_add_feature_meta (dest, self->parts, self->rows,
      self->columns, self->dim, self->data, NULL);
  if (copy == NULL)
    return FALSE;
  gst_rvm_fields_copy (&gst_rvm_feature_fields, GST_RVM_IN_META, self, GST_RVM_IN_META, copy);
  copy->frame_width = upright.width;
  copy->frame_height = upright.height;
  copy->pixel_aspect_n = upright.pixel_aspect_n;
  copy->pixel_aspect_d = upright.pixel_aspect_d;
  return TRUE;
}

static GBytes *
feature_meta_to_bytes (const GstMeta * meta)
{
  return gst_rvm_feature_meta_to_bytes ((const GstRvmFeatureMeta *) meta);
}

static GstMeta *
feature_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  return (GstMeta *) gst_rvm_buffer_add_feature_meta_from_bytes (buffer, bytes);
}

const GstMetaInfo *
gst_rvm_feature_meta_get_info (void)
{
  static const GstRvmMetaBytes bytes = { feature_meta_to_bytes, feature_meta_from_bytes };
  static const GstMetaInfo *info = NULL;

  if (g_once_init_enter ((GstMetaInfo **) & info)) {
    const GstMetaInfo *registered =
        gst_rvm_meta_register (GST_RVM_FEATURE_META_API_TYPE, "GstRvmFeatureMeta",
        sizeof (GstRvmFeatureMeta), feature_meta_init, feature_meta_free,
        feature_meta_transform, &bytes);
    g_once_init_leave ((GstMetaInfo **) & info, (GstMetaInfo *) registered);
  }
  return info;
}

GstRvmFeatureMeta *
gst_rvm_buffer_add_feature_meta (GstBuffer * buffer, GstRvmFeatureParts parts,
    guint rows, guint columns, guint dim, GBytes * data, const gchar * model_id)
{
  GstRvmFeatureMeta *meta;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (data != NULL, NULL);
  if (!gst_rvm_features_fit (parts, rows, columns, dim, g_bytes_get_size (data)))
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

GstMeta *
gst_rvm_buffer_find_meta (GstBuffer * buffer, GType api, gboolean (*matches) (const GstMeta * meta, gconstpointer names),
    gconstpointer names)
{
  GstMeta *meta, *last = NULL;
  gpointer state = NULL;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, api)))
    if ((matches == NULL || matches (meta, names)) && (last == NULL || gst_meta_compare_seqnum (last, meta) < 0))
      last = meta;
  return last;
}

static gboolean
is_of_encoder (const GstMeta * meta, gconstpointer encoder)
{
  return g_strcmp0 (((const GstRvmFeatureMeta *) meta)->encoder, encoder) == 0;
}

GstRvmFeatureMeta *
gst_rvm_buffer_get_feature_meta_from (GstBuffer * buffer, const gchar * encoder)
{
  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);

  return (GstRvmFeatureMeta *) gst_rvm_buffer_find_meta (buffer, GST_RVM_FEATURE_META_API_TYPE,
      encoder ? is_of_encoder : NULL, encoder);
}

GstRvmFeatureMeta *
gst_rvm_buffer_get_feature_meta (GstBuffer * buffer)
{
  return gst_rvm_buffer_get_feature_meta_from (buffer, NULL);
}

GBytes *
gst_rvm_feature_meta_get_data (const GstRvmFeatureMeta * meta)
{
  return g_bytes_ref (meta->data);
}

GBytes *
gst_rvm_feature_meta_get_class_token (const GstRvmFeatureMeta * meta)
{
  return gst_rvm_values_get_class_token (meta->data, meta->parts, meta->dim);
}

GBytes *
gst_rvm_feature_meta_get_patches (const GstRvmFeatureMeta * meta)
{
  return gst_rvm_values_get_patches (meta->data, meta->parts, meta->rows, meta->columns, meta->dim);
}

GBytes *
gst_rvm_feature_meta_to_bytes (const GstRvmFeatureMeta * meta)
{
  g_autoptr (GstRvmFeatures) features = gst_rvm_feature_meta_get_features (meta);

  return gst_rvm_features_to_bytes (features);
}

GstRvmFeatureMeta *
gst_rvm_buffer_add_feature_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstRvmFeatures) features = gst_rvm_features_new_from_bytes (bytes, &error);

  if (features)
    return gst_rvm_buffer_add_features (buffer, features);
  GST_WARNING ("%s", error->message);
  return NULL;
}
