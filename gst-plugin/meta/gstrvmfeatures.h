/* Features of a frame as an object of their own: a reference-counted, immutable copy of a GstRvmFeatureMeta that stays valid after the buffer is
 * gone. The values are shared with the meta, not copied.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gstrvmmeta.h"

G_BEGIN_DECLS

typedef struct _GstRvmFeatures GstRvmFeatures;

/**
 * GstRvmFeatures:
 * @parts: what the data holds
 * @rows: rows of the grid of patches
 * @columns: columns of the grid of patches
 * @dim: floats in a token
 * @generation: how often the state was reset or restored, 1 for the first frame of a stream
 * @frames_since_reset: frames folded into the state since it was zero, 1 for the first; those of a restored state are counted
 * @update_pts: presentation time of the frame that the features belong to
 * @carried: whether these are the features of an earlier frame, because the buffer's own was not analysed
 * @model_id: identifies the weights
 * @frame_width: width in pixels of the picture that the grid covers: the part that is shown, upright
 * @frame_height: height in pixels of that picture
 * @analysis_width: width in pixels of the picture that the model saw
 * @analysis_height: height in pixels of the picture that the model saw
 * @restored: whether the state was restored from a file or a snapshot instead of beginning with zeros
 * @restored_pts: presentation time of the last frame in that state, or %GST_CLOCK_TIME_NONE
 * @restored_age: the time from @restored_pts to the first frame that was folded into that state, or %GST_CLOCK_TIME_NONE
 * @carried_count: buffers of the stream so far that carried features of earlier frames, the copied one included
 * @dropped_count: how many of these were not analysed because they were late
 * @encoder: (nullable): the name of the rvmencode element that made the features
 * @stream_id: (nullable): the id of the stream that the frame belongs to
 * @source: identifies the run of that element on that stream, 0 if unknown; see #GstRvmFeatureMeta
 * @update: the number of the analysed frame within @source, 1 for the first, 0 if unknown
 * @orientation: how the picture in the buffer has to be turned to be the upright one that the grid covers, a #GstVideoOrientationMethod
 * @pixel_aspect_n: numerator of the pixel aspect ratio of the upright picture
 * @pixel_aspect_d: denominator of the pixel aspect ratio of the upright picture
 *
 * Features of a frame, with the fields of #GstRvmFeatureMeta. The fields are for reading only; strings belong to the structure. The values
 * are read by gst_rvm_features_get_data(), gst_rvm_features_get_class_token() and gst_rvm_features_get_patches().
 *
 * Since: 0.1
 */
struct _GstRvmFeatures {
  GstRvmFeatureParts parts;
  guint rows;
  guint columns;
  guint dim;

  guint64 generation;
  guint64 frames_since_reset;
  GstClockTime update_pts;
  gboolean carried;
  gchar *model_id;

  guint frame_width;
  guint frame_height;
  guint analysis_width;
  guint analysis_height;

  gboolean restored;
  GstClockTime restored_pts;
  GstClockTime restored_age;
  guint64 carried_count;
  guint64 dropped_count;

  gchar *encoder;
  gchar *stream_id;
  guint64 source;
  guint64 update;

  guint orientation;
  guint pixel_aspect_n;
  guint pixel_aspect_d;

  /*< private >*/
  GBytes *_data;
  gint _ref_count;
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

#define GST_TYPE_RVM_FEATURES (gst_rvm_features_get_type ())
GST_RVM_API GType gst_rvm_features_get_type (void);

/**
 * gst_rvm_buffer_get_features:
 * @buffer: a buffer
 * @encoder: (nullable): the name of the rvmencode whose features are wanted, or %NULL: the nearest one upstream
 *
 * The features on @buffer, which stay valid as long as the reference is held, even after the buffer is gone.
 *
 * Returns: (transfer full) (nullable): the features, or %NULL if there are none from that encoder.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatures *gst_rvm_buffer_get_features (GstBuffer *buffer, const gchar *encoder);

/**
 * gst_rvm_feature_meta_get_features:
 * @meta: features on a buffer
 *
 * Returns: (transfer full): the same features, which stay valid as long as the reference is held.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatures *gst_rvm_feature_meta_get_features (const GstRvmFeatureMeta *meta);

/**
 * gst_rvm_buffer_add_features:
 * @buffer: a writable buffer
 * @features: features
 *
 * Attaches @features to @buffer as a #GstRvmFeatureMeta, which shares the values.
 *
 * Returns: (transfer none): the new meta, valid as long as @buffer is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatureMeta *gst_rvm_buffer_add_features (GstBuffer *buffer, const GstRvmFeatures *features);

/**
 * gst_rvm_features_ref:
 * @features: features
 *
 * Returns: (transfer full): @features with another reference.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatures *gst_rvm_features_ref (GstRvmFeatures *features);

/**
 * gst_rvm_features_unref:
 * @features: (transfer full): features
 *
 * Drops a reference; dropping the last one frees @features.
 *
 * Since: 0.1
 */
GST_RVM_API void gst_rvm_features_unref (GstRvmFeatures *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstRvmFeatures, gst_rvm_features_unref)

/**
 * gst_rvm_features_get_data:
 * @features: features
 *
 * Returns: (transfer full): all values, float32 in host byte order: the class token if @parts has it, then the patches if @parts has them.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_features_get_data (const GstRvmFeatures *features);

/**
 * gst_rvm_features_get_class_token:
 * @features: features
 *
 * Returns: (transfer full) (nullable): @dim values, float32; %NULL if there is no class token.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_features_get_class_token (const GstRvmFeatures *features);

/**
 * gst_rvm_features_get_patches:
 * @features: features
 *
 * Returns: (transfer full) (nullable): rows * columns * @dim values, float32; %NULL if there are no patches.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_features_get_patches (const GstRvmFeatures *features);

/**
 * gst_rvm_features_to_bytes:
 * @features: features
 *
 * Returns: (transfer full): all of @features, for another process; the same as gst_rvm_feature_meta_to_bytes().
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_features_to_bytes (const GstRvmFeatures *features);

/**
 * gst_rvm_features_new_from_bytes:
 * @bytes: what gst_rvm_features_to_bytes() or gst_rvm_feature_meta_to_bytes() returned, in this process or in another
 * @error: return location for a #GError
 *
 * Reads features that came from elsewhere. Bytes in another version of the format are refused.
 *
 * Returns: (transfer full): the features, or %NULL with @error set to %GST_STREAM_ERROR_DECODE and a text that names what is wrong.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatures *gst_rvm_features_new_from_bytes (GBytes *bytes, GError **error);

G_END_DECLS
