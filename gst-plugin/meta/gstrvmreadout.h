/* GStreamer metadata of Recurrent Video Masked Autoencoders: a readout's answer for a frame, attached to its buffer by rvmreadout; and a
 * reference-counted copy of it that stays valid after the buffer is gone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gstrvmmeta.h"

G_BEGIN_DECLS

/**
 * GstRvmReadoutKind:
 * @GST_RVM_READOUT_CLASS: probabilities of classes, which sum to 1
 * @GST_RVM_READOUT_DEPTH: a map of depths
 * @GST_RVM_READOUT_LABELS: a map of probabilities of labels, which sum to 1 at each position
 * @GST_RVM_READOUT_DISTANCE: how far the frame is from normal footage: about 1 for normal footage, larger for anything else
 *
 * What a readout answers.
 *
 * Since: 0.1
 */
typedef enum {
  GST_RVM_READOUT_CLASS,
  GST_RVM_READOUT_DEPTH,
  GST_RVM_READOUT_LABELS,
  GST_RVM_READOUT_DISTANCE,
} GstRvmReadoutKind;

#define GST_TYPE_RVM_READOUT_KIND (gst_rvm_readout_kind_get_type ())
GST_RVM_API GType gst_rvm_readout_kind_get_type (void);

typedef struct _GstRvmReadoutMeta GstRvmReadoutMeta;
typedef struct _GstRvmReadout GstRvmReadout;

/**
 * GstRvmReadoutMeta:
 * @meta: the parent
 * @kind: what the answer is
 * @rows: rows of a map, which covers the whole upright picture; 1 for classes and distances
 * @columns: columns of a map; 1 for classes and distances
 * @channels: number of values at each position: one for each class or label, or 1
 * @states: number of states that the answer was made from: fewer than @window for a while after a reset
 * @window: maximum number of states that the readout looks at
 * @readout: (nullable): the name of the rvmreadout element
 * @encoder: (nullable): the name of the rvmencode element whose features it read
 * @source: the run of that element, as in #GstRvmFeatureMeta; 0 if unknown
 * @update: the number of the analysed frame whose state is the newest in the window, as in #GstRvmFeatureMeta; 0 if unknown
 * @update_pts: presentation time of that frame
 * @unit: (nullable): unit of depths, such as "m"
 * @orientation: how the picture in the buffer has to be turned to be the upright one that a map covers, as in #GstRvmFeatureMeta
 * @event_class: the class of the current event, counted from 1; 0 if there is none
 * @event_start: presentation time of the frame with which that event began, or %GST_CLOCK_TIME_NONE
 * @event_confidence: the smoothed probability of the class, or smoothed distance; 0 if there is no event
 * @classes: (nullable) (array zero-terminated=1): names of classes or labels, @channels of them
 * @values: float32, host byte order: (@rows, @columns, @channels), row-major
 * @logits: (nullable): for classes and labels: the logits, whose softmax the probabilities are, laid out like @values
 *
 * A readout's answer for a frame. The fields are for reading; strings and data belong to the meta, which is freed with its buffer. Bindings use
 * #GstRvmReadout, which gst_rvm_buffer_get_readout() returns.
 *
 * A buffer that has passed several rvmreadout has a meta from each; see gst_rvm_buffer_get_readout_meta_from().
 *
 * Since: 0.1
 */
struct _GstRvmReadoutMeta {
  GstMeta meta;

  GstRvmReadoutKind kind;
  guint rows;
  guint columns;
  guint channels;
  guint states;
  guint window;
  gchar *readout;
  gchar *encoder;
  guint64 source;
  guint64 update;
  GstClockTime update_pts;
  gchar *unit;
  guint orientation;
  guint event_class;
  GstClockTime event_start;
  gdouble event_confidence;
  gchar **classes;
  GBytes *values;
  GBytes *logits;

  /*< private >*/
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

/**
 * GstRvmReadout:
 * @kind: what the answer is
 * @rows: rows of a map, 1 for classes and distances
 * @columns: columns of a map, 1 for classes and distances
 * @channels: number of values at each position: one for each class or label, or 1
 * @states: number of states that the answer was made from
 * @window: maximum number of states that the readout looks at
 * @readout: (nullable): the name of the rvmreadout element
 * @encoder: (nullable): the name of the rvmencode element whose features it read
 * @source: the run of that element; 0 if unknown
 * @update: the number of the analysed frame whose state is the newest in the window; 0 if unknown
 * @update_pts: presentation time of that frame
 * @unit: (nullable): unit of depths, such as "m"
 * @orientation: how the picture in the buffer has to be turned to be the upright one that a map covers, a #GstVideoOrientationMethod
 * @event_class: the class of the current event, counted from 1; 0 if there is none
 * @event_start: presentation time of the frame with which that event began, or %GST_CLOCK_TIME_NONE
 * @event_confidence: the smoothed probability of the class, or smoothed distance; 0 if there is no event
 *
 * A readout's answer for a frame, with the fields of #GstRvmReadoutMeta. The fields are for reading only; strings belong to the structure.
 *
 * Since: 0.1
 */
struct _GstRvmReadout {
  GstRvmReadoutKind kind;
  guint rows;
  guint columns;
  guint channels;
  guint states;
  guint window;
  gchar *readout;
  gchar *encoder;
  guint64 source;
  guint64 update;
  GstClockTime update_pts;
  gchar *unit;
  guint orientation;
  guint event_class;
  GstClockTime event_start;
  gdouble event_confidence;

  /*< private >*/
  gchar **_classes;
  GBytes *_values;
  GBytes *_logits;
  gint _ref_count;
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

#define GST_TYPE_RVM_READOUT (gst_rvm_readout_get_type ())
GST_RVM_API GType gst_rvm_readout_get_type (void);

GST_RVM_API GType gst_rvm_readout_meta_api_get_type (void);
#define GST_RVM_READOUT_META_API_TYPE (gst_rvm_readout_meta_api_get_type ())
GST_RVM_API const GstMetaInfo *gst_rvm_readout_meta_get_info (void);
#define GST_RVM_READOUT_META_INFO (gst_rvm_readout_meta_get_info ())

/**
 * gst_rvm_buffer_add_readout_meta:
 * @buffer: a writable buffer
 * @kind: what the answer is
 * @rows: rows of a map, or 1
 * @columns: columns of a map, or 1
 * @channels: number of values at each position
 * @values: (transfer none): float32, (@rows, @columns, @channels)
 *
 * Attaches an answer. The caller then fills in the other fields; what they point to is owned by the meta.
 *
 * Returns: (transfer none) (nullable): the meta, %NULL if the size of @values does not fit.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadoutMeta *gst_rvm_buffer_add_readout_meta (GstBuffer *buffer, GstRvmReadoutKind kind, guint rows, guint columns,
    guint channels, GBytes *values);

/**
 * gst_rvm_buffer_get_readout_meta_from:
 * @buffer: a buffer
 * @readout: (nullable): the name of the rvmreadout whose answer is wanted, or %NULL: the nearest one upstream
 *
 * In languages other than C, use gst_rvm_buffer_get_readout(): what this function returns must not be used after the buffer is gone.
 *
 * Returns: (transfer none) (nullable): the answer on @buffer, valid as long as it is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadoutMeta *gst_rvm_buffer_get_readout_meta_from (GstBuffer *buffer, const gchar *readout);

/**
 * gst_rvm_readout_meta_get_readout:
 * @meta: an answer on a buffer
 *
 * Returns: (transfer full): the same answer, which stays valid as long as the reference is held.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadout *gst_rvm_readout_meta_get_readout (const GstRvmReadoutMeta *meta);

/**
 * gst_rvm_readout_meta_get_best:
 * @meta: an answer on a buffer
 * @row: row of a map, or 0
 * @column: column of a map, or 0
 * @value: (out) (optional): the largest value: the probability of a class or label, a depth or a distance
 *
 * Returns: the channel of the largest value at a position, from 0; 0 beyond the map, with a @value of 0.
 *
 * Since: 0.1
 */
GST_RVM_API guint gst_rvm_readout_meta_get_best (const GstRvmReadoutMeta *meta, guint row, guint column, gdouble *value);

/**
 * gst_rvm_buffer_get_readout:
 * @buffer: a buffer
 * @readout: (nullable): the name of the rvmreadout whose answer is wanted, or %NULL: the nearest one upstream
 *
 * Returns: (transfer full) (nullable): the answer, which stays valid even after the buffer is gone; %NULL if there is none from that element.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadout *gst_rvm_buffer_get_readout (GstBuffer *buffer, const gchar *readout);

/**
 * gst_rvm_buffer_add_readout:
 * @buffer: a writable buffer
 * @readout: an answer
 *
 * Attaches @readout to @buffer as a #GstRvmReadoutMeta, which shares the values.
 *
 * Returns: (transfer none): the new meta, valid as long as @buffer is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadoutMeta *gst_rvm_buffer_add_readout (GstBuffer *buffer, const GstRvmReadout *readout);

/**
 * gst_rvm_readout_ref:
 * @readout: an answer
 *
 * Returns: (transfer full): @readout with another reference.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadout *gst_rvm_readout_ref (GstRvmReadout *readout);

/**
 * gst_rvm_readout_unref:
 * @readout: (transfer full): an answer
 *
 * Drops a reference; dropping the last one frees @readout.
 *
 * Since: 0.1
 */
GST_RVM_API void gst_rvm_readout_unref (GstRvmReadout *readout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstRvmReadout, gst_rvm_readout_unref)

/**
 * gst_rvm_readout_get_classes:
 * @readout: an answer
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the names of the classes or labels; %NULL if there are none.
 *
 * Since: 0.1
 */
GST_RVM_API const gchar *const *gst_rvm_readout_get_classes (const GstRvmReadout *readout);

/**
 * gst_rvm_readout_get_values:
 * @readout: an answer
 *
 * Returns: (transfer full): float32, (rows, columns, channels), row-major.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_readout_get_values (const GstRvmReadout *readout);

/**
 * gst_rvm_readout_get_logits:
 * @readout: an answer
 *
 * Returns: (transfer full) (nullable): the logits, whose softmax the probabilities are; %NULL for depths and distances.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_readout_get_logits (const GstRvmReadout *readout);

/**
 * gst_rvm_readout_get_best:
 * @readout: an answer
 * @row: row of a map, or 0
 * @column: column of a map, or 0
 * @value: (out) (optional): the largest value: the probability of a class or label, a depth or a distance
 *
 * Returns: the channel of the largest value at a position, from 0; 0 beyond the map, with a @value of 0.
 *
 * Since: 0.1
 */
GST_RVM_API guint gst_rvm_readout_get_best (const GstRvmReadout *readout, guint row, guint column, gdouble *value);

/**
 * gst_rvm_readout_to_bytes:
 * @readout: an answer
 *
 * Returns: (transfer full): all of @readout, for another process; from GStreamer 1.24 on, unixfdsink does this by itself.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_readout_to_bytes (const GstRvmReadout *readout);

/**
 * gst_rvm_readout_new_from_bytes:
 * @bytes: what gst_rvm_readout_to_bytes() returned, in this process or in another
 * @error: return location for a #GError
 *
 * Reads an answer that came from elsewhere. Bytes in another version of the format are refused.
 *
 * Returns: (transfer full): the answer, or %NULL with @error set to %GST_STREAM_ERROR_DECODE and a text that names what is wrong.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmReadout *gst_rvm_readout_new_from_bytes (GBytes *bytes, GError **error);

G_END_DECLS
