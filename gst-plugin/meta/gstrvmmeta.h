/* GStreamer metadata of Recurrent Video Masked Autoencoders: features of a frame, attached to its buffer by rvmencode.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#ifndef GST_RVM_API
#define GST_RVM_API extern __attribute__ ((visibility ("default")))
#endif

/**
 * GstRvmFeatureParts:
 * @GST_RVM_FEATURE_CLASS: the class token, one row that stands for the whole picture
 * @GST_RVM_FEATURE_PATCHES: the patch tokens, rows * columns rows in row-major order
 *
 * What the data of a #GstRvmFeatureMeta holds.
 *
 * Since: 0.1
 */
typedef enum {
  GST_RVM_FEATURE_CLASS = 1 << 0,
  GST_RVM_FEATURE_PATCHES = 1 << 1,
} GstRvmFeatureParts;

#define GST_TYPE_RVM_FEATURE_PARTS (gst_rvm_feature_parts_get_type ())
GST_RVM_API GType gst_rvm_feature_parts_get_type (void);

typedef struct _GstRvmFeatureMeta GstRvmFeatureMeta;

/**
 * GstRvmFeatureMeta:
 * @meta: the parent
 * @parts: what @data holds
 * @rows: rows of the grid of patches
 * @columns: columns of the grid of patches
 * @dim: floats in a token
 * @data: float32, host byte order: the class token if @parts has it, then the patches if @parts has them; each @dim floats.
 *   The values are the recurrent state after the frame (arXiv 2512.13684, the gated transformer core's s').
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
 * @restored_age: age of that state when the first frame was folded into it: the time from @restored_pts to that frame; %GST_CLOCK_TIME_NONE
 *   if these times cannot be compared, such as times of different streams
 * @carried_count: buffers of the stream so far that carried features of earlier frames, this one included
 * @dropped_count: how many of these were not analysed because they were late
 * @encoder: (nullable): the name of the rvmencode element that made the features
 * @stream_id: (nullable): the id of the stream that the frame belongs to, as in its STREAM_START event
 * @source: identifies the origin of the features: a different random number for each start of each rvmencode, in any process, and for each
 *   stream that it receives; at most %G_MAXINT64; 0 if unknown
 * @update: the number of the analysed frame within @source, 1 for the first; it never decreases; 0 if unknown. Buffers with the same @source and
 *   @update have the same features
 * @orientation: how the picture in the buffer has to be turned to be the upright one that the grid covers: a #GstVideoOrientationMethod from
 *   %GST_VIDEO_ORIENTATION_IDENTITY to %GST_VIDEO_ORIENTATION_UR_LL
 * @pixel_aspect_n: numerator of the pixel aspect ratio of the upright picture
 * @pixel_aspect_d: denominator of the pixel aspect ratio of the upright picture
 *
 * Features of a frame. The fields are for reading; strings and @data belong to the meta, which is freed with its buffer. To keep features longer, use
 * gst_rvm_feature_meta_get_features(), or gst_rvm_buffer_get_features() in the first place, as bindings should do.
 *
 * A buffer that has passed several rvmencode has a meta from each; see gst_rvm_buffer_get_feature_meta_from().
 *
 * Since: 0.1
 */
struct _GstRvmFeatureMeta {
  GstMeta meta;

  GstRvmFeatureParts parts;
  guint rows;
  guint columns;
  guint dim;
  GBytes *data;

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
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

GST_RVM_API GType gst_rvm_feature_meta_api_get_type (void);
#define GST_RVM_FEATURE_META_API_TYPE (gst_rvm_feature_meta_api_get_type ())
GST_RVM_API const GstMetaInfo *gst_rvm_feature_meta_get_info (void);
#define GST_RVM_FEATURE_META_INFO (gst_rvm_feature_meta_get_info ())

/**
 * gst_rvm_buffer_add_feature_meta:
 * @buffer: a writable buffer
 * @parts: what @data holds
 * @rows: rows of the grid
 * @columns: columns of the grid
 * @dim: floats in a token
 * @data: (transfer none): the values; the size must be that of the parts
 * @model_id: identifies the weights
 *
 * Attaches features. The caller then fills in the other fields; their strings are owned by the meta.
 *
 * Returns: (transfer none) (nullable): the meta, %NULL if the size of @data does not fit.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatureMeta *gst_rvm_buffer_add_feature_meta (GstBuffer *buffer, GstRvmFeatureParts parts, guint rows, guint columns,
    guint dim, GBytes *data, const gchar *model_id);

/**
 * gst_rvm_buffer_get_feature_meta:
 * @buffer: a buffer
 *
 * The features of the nearest rvmencode upstream, that is, those attached last. In languages other than C, use
 * gst_rvm_buffer_get_features(): what this function returns must not be used after the buffer is gone.
 *
 * Returns: (transfer none) (nullable): the features on @buffer, valid as long as it is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatureMeta *gst_rvm_buffer_get_feature_meta (GstBuffer *buffer);

/**
 * gst_rvm_buffer_get_feature_meta_from:
 * @buffer: a buffer
 * @encoder: (nullable): the name of the rvmencode whose features are wanted, or %NULL: the nearest one upstream
 *
 * Returns: (transfer none) (nullable): the features that @encoder attached to @buffer (the last ones, if several elements have this name), valid as
 *   long as it is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatureMeta *gst_rvm_buffer_get_feature_meta_from (GstBuffer *buffer, const gchar *encoder);

/**
 * gst_rvm_feature_meta_get_data:
 * @meta: features
 *
 * Returns: (transfer full): all values, float32.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_feature_meta_get_data (const GstRvmFeatureMeta *meta);

/**
 * gst_rvm_feature_meta_get_class_token:
 * @meta: features
 *
 * Returns: (transfer full) (nullable): @dim values, float32; %NULL if the meta has no class token.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_feature_meta_get_class_token (const GstRvmFeatureMeta *meta);

/**
 * gst_rvm_feature_meta_get_patches:
 * @meta: features
 *
 * Returns: (transfer full) (nullable): rows * columns * @dim values, float32; %NULL if the meta has no patches.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_feature_meta_get_patches (const GstRvmFeatureMeta *meta);

/**
 * gst_rvm_feature_meta_to_bytes:
 * @meta: features
 *
 * Returns: (transfer full): all of @meta, for another process; from GStreamer 1.24 on, unixfdsink does this by itself.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_feature_meta_to_bytes (const GstRvmFeatureMeta *meta);

/**
 * gst_rvm_buffer_add_feature_meta_from_bytes:
 * @buffer: a writable buffer
 * @bytes: what gst_rvm_feature_meta_to_bytes() returned
 *
 * Attaches the features in @bytes. gst_rvm_features_new_from_bytes() and gst_rvm_buffer_add_features() do the same in two steps and report what is wrong
 * with bytes that are refused.
 *
 * Returns: (transfer none) (nullable): the new meta; %NULL, with a warning in the debug log, if @bytes are anything else or have another version of
 *   the format.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmFeatureMeta *gst_rvm_buffer_add_feature_meta_from_bytes (GstBuffer *buffer, GBytes *bytes);

G_END_DECLS
