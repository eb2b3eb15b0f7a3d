/* A copy of the meta's fields, made when it is asked for: the meta itself lives and dies with its buffer. */
#include "gstrvmfeatures.h"

#include "gstrvmcopies.h"
#include "gstrvmfields.h"

GType
gst_rvm_features_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_boxed_type_register_static ("GstRvmFeatures", (GBoxedCopyFunc) gst_rvm_features_ref,
            (GBoxedFreeFunc) gst_rvm_features_unref));
  return type;
}

GstRvmFeatures *
gst_rvm_features_new (void)
{
  GstRvmFeatures *features = g_new0 (GstRvmFeatures, 1);

  gst_rvm_fields_init (&gst_rvm_feature_fields, GST_RVM_IN_COPY, features);
  g_atomic_ref_count_init (&features->_ref_count);
  return features;
}

GstRvmFeatures *
gst_rvm_features_ref (GstRvmFeatures * features)
{
  g_return_val_if_fail (features != NULL, NULL);

  g_atomic_ref_count_inc (&features->_ref_count);
  return features;
}

void
gst_rvm_features_unref (GstRvmFeatures * features)
{
  g_return_if_fail (features != NULL);

  if (!g_atomic_ref_count_dec (&features->_ref_count))
    return;
  gst_rvm_fields_clear (&gst_rvm_feature_fields, GST_RVM_IN_COPY, features);
  g_clear_pointer (&features->_data, g_bytes_unref);
  g_free (features);
}

GstRvmFeatures *
gst_rvm_feature_meta_get_features (const GstRvmFeatureMeta * meta)
{
  GstRvmFeatures *features = gst_rvm_features_new ();

  gst_rvm_fields_copy (&gst_rvm_feature_fields, GST_RVM_IN_META, meta, GST_RVM_IN_COPY, features);
  features->_data = g_bytes_ref (meta->data);
  return features;
}

GstRvmFeatures *
gst_rvm_buffer_get_features (GstBuffer * buffer, const gchar * encoder)
{
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta_from (buffer, encoder);

  return meta ? gst_rvm_feature_meta_get_features (meta) : NULL;
}

GstRvmFeatureMeta *
gst_rvm_buffer_add_features (GstBuffer * buffer, const GstRvmFeatures * features)
{
  GstRvmFeatureMeta *meta;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (features != NULL && features->_data != NULL, NULL);

  meta = gst_rvm_buffer_add_feature_meta (buffer, features->parts, features->rows, features->columns, features->dim,
      features->_data, NULL);
  if (meta)
    gst_rvm_fields_copy (&gst_rvm_feature_fields, GST_RVM_IN_COPY, features, GST_RVM_IN_META, meta);
  return meta;
}

gboolean
gst_rvm_features_fit (guint parts, guint rows, guint columns, guint dim, gsize size)
{
  const gsize tokens = (parts & GST_RVM_FEATURE_CLASS ? 1 : 0) + (parts & GST_RVM_FEATURE_PATCHES ? (gsize) rows * columns : 0);
  gsize expected;

  return parts <= (GST_RVM_FEATURE_CLASS | GST_RVM_FEATURE_PATCHES) && g_size_checked_mul (&expected, tokens, dim)
      && g_size_checked_mul (&expected, expected, sizeof (gfloat)) && expected == size;
}

GBytes *
gst_rvm_values_get_class_token (GBytes * data, guint parts, guint dim)
{
  if (data == NULL || !(parts & GST_RVM_FEATURE_CLASS))
    return NULL;
  return g_bytes_new_from_bytes (data, 0, dim * sizeof (gfloat));
}

GBytes *
gst_rvm_values_get_patches (GBytes * data, guint parts, guint rows, guint columns, guint dim)
{
  const gsize token = dim * sizeof (gfloat);

  if (data == NULL || !(parts & GST_RVM_FEATURE_PATCHES))
    return NULL;
  return g_bytes_new_from_bytes (data, parts & GST_RVM_FEATURE_CLASS ? token : 0, (gsize) rows * columns * token);
}

GBytes *
gst_rvm_features_get_data (const GstRvmFeatures * features)
{
  g_return_val_if_fail (features != NULL && features->_data != NULL, NULL);

  return g_bytes_ref (features->_data);
}

GBytes *
gst_rvm_features_get_class_token (const GstRvmFeatures * features)
{
  g_return_val_if_fail (features != NULL, NULL);

  return gst_rvm_values_get_class_token (features->_data, features->parts, features->dim);
}

GBytes *
gst_rvm_features_get_patches (const GstRvmFeatures * features)
{
  g_return_val_if_fail (features != NULL, NULL);

  return gst_rvm_values_get_patches (features->_data, features->parts, features->rows, features->columns, features->dim);
}
