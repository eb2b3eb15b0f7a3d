/* GStreamer metadata of Recurrent Video Masked Autoencoders: points, boxes and masks followed through a video, attached to buffers by rvmtrack.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gstrvmmeta.h"

G_BEGIN_DECLS

/**
 * GstRvmTrackKind:
 * @GST_RVM_TRACK_POINT: a point
 * @GST_RVM_TRACK_BOX: a box
 * @GST_RVM_TRACK_MASK: the pixels of an object
 *
 * What is followed.
 *
 * Since: 0.1
 */
typedef enum {
  GST_RVM_TRACK_POINT,
  GST_RVM_TRACK_BOX,
  GST_RVM_TRACK_MASK,
} GstRvmTrackKind;

#define GST_TYPE_RVM_TRACK_KIND (gst_rvm_track_kind_get_type ())
GST_RVM_API GType gst_rvm_track_kind_get_type (void);

/**
 * GstRvmTrack:
 * @id: the same on all frames, never used twice by an element
 * @kind: what is followed
 * @x: pixels of the upright picture from its left: of a point, or of the left edge of a box (of a mask: the smallest box around it)
 * @y: pixels from the top: of a point, or of a box's upper edge
 * @width: of a box, pixels; 0 for a point
 * @height: of a box, pixels; 0 for a point
 * @confidence: 0 to 1, an estimate of the overlap (intersection over union) of what was found and of the object; 1 on the frame on which it was given
 * @visible: whether the object is on this frame, by its confidence (rvmtrack's properties lost-threshold and found-threshold); a track that is not visible is
 *   lost, and its place is that of @last_seen, until it is found again
 * @first_seen: presentation time of the frame on which it was given
 * @last_seen: presentation time of the frame on which it was found last
 * @mask_value: of a mask: the value of its pixels in the meta's mask, 1 to 255; 0 for others
 * @label: what a detector called it, 0 if it was not given by one; the detector's own bytes, which need not be UTF-8 (where it is written or sent as text, invalid bytes are replaced by U+FFFD)
 *
 * A track's place on one frame.
 *
 * Since: 0.1
 */
typedef struct {
  guint id;
  GstRvmTrackKind kind;
  gdouble x;
  gdouble y;
  gdouble width;
  gdouble height;
  gdouble confidence;
  gboolean visible;
  GstClockTime first_seen;
  GstClockTime last_seen;
  guint mask_value;
  GQuark label;

  /*< private >*/
  gpointer _gst_reserved[GST_PADDING];
} GstRvmTrack;

#define GST_TYPE_RVM_TRACK (gst_rvm_track_get_type ())
GST_RVM_API GType gst_rvm_track_get_type (void);

/**
 * gst_rvm_track_copy:
 * @track: a track
 *
 * Returns: (transfer full): the same values.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrack *gst_rvm_track_copy (const GstRvmTrack *track);

/**
 * gst_rvm_track_free:
 * @track: (transfer full): a track
 *
 * Since: 0.1
 */
GST_RVM_API void gst_rvm_track_free (GstRvmTrack *track);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstRvmTrack, gst_rvm_track_free)

typedef struct _GstRvmTrackMeta GstRvmTrackMeta;

/**
 * GstRvmTrackMeta:
 * @meta: the parent
 * @n_tracks: how many there are
 * @tracks: (array length=n_tracks): the tracks, by id
 * @mask: (nullable): where there are masks, a picture that covers the whole frame, upright: GRAY8 with a #GstVideoMeta that tells its size (that
 *   of the frame on which it was found; it stays when the frame is scaled). A pixel is the @mask_value of its track, or 0. Shared: do not write.
 * @tracker: (nullable): the name of the rvmtrack element that followed them; ids are unique within one
 * @encoder: (nullable): the name of the rvmencode element whose features it followed
 * @source: the run of that element, as in #GstRvmFeatureMeta; 0 if unknown
 * @update: the number of the analysed frame that the places are of, as in #GstRvmFeatureMeta; 0 if unknown. Tracks of equal @tracker,
 *   @source and @update are equal
 * @frame_width: pixels of the upright picture, which the places are in, 0 if unknown
 * @frame_height: pixels of the upright picture, which the places are in, 0 if unknown
 * @orientation: how the picture in the buffer has to be turned to be that upright one, as in #GstRvmFeatureMeta
 *
 * All tracks of a frame, in places of the picture as it is shown: without the margins of a #GstVideoCropMeta, upright. Positions follow a change of scale; elements that cut or move the picture drop the meta. The fields may be read from
 * C; strings, @tracks and @mask belong to the meta, which goes with its buffer. Bindings use #GstRvmTracks, which gst_rvm_buffer_get_tracks()
 * returns.
 *
 * A buffer that has passed several rvmtrack has a meta of each; see gst_rvm_buffer_get_track_meta_from().
 *
 * Since: 0.1
 */
struct _GstRvmTrackMeta {
  GstMeta meta;

  guint n_tracks;
  GstRvmTrack *tracks;
  GstBuffer *mask;

  gchar *tracker;
  gchar *encoder;
  guint64 source;
  guint64 update;
  guint frame_width;
  guint frame_height;
  guint orientation;

  /*< private >*/
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

GST_RVM_API GType gst_rvm_track_meta_api_get_type (void);
#define GST_RVM_TRACK_META_API_TYPE (gst_rvm_track_meta_api_get_type ())
GST_RVM_API const GstMetaInfo *gst_rvm_track_meta_get_info (void);
#define GST_RVM_TRACK_META_INFO (gst_rvm_track_meta_get_info ())

/**
 * gst_rvm_buffer_add_track_meta:
 * @buffer: a writable buffer
 * @tracks: (array length=n_tracks): tracks, copied
 * @n_tracks: how many
 *
 * Attaches tracks. The caller then fills in where they come from and on what picture they are; strings are owned by the meta.
 *
 * Returns: (transfer none): the new meta.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_add_track_meta (GstBuffer *buffer, const GstRvmTrack *tracks, guint n_tracks);

/**
 * gst_rvm_buffer_get_track_meta:
 * @buffer: a buffer
 *
 * The tracks of the nearest rvmtrack upstream, that is, those attached last. In languages other than C, use gst_rvm_buffer_get_tracks(): what
 * this function returns must not be touched once the buffer is gone.
 *
 * Returns: (transfer none) (nullable): its tracks, valid as long as @buffer is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_get_track_meta (GstBuffer *buffer);

/**
 * gst_rvm_buffer_get_track_meta_from:
 * @buffer: a buffer
 * @encoder: (nullable): the name of the rvmencode whose features the tracks were followed with, or %NULL: any
 * @tracker: (nullable): the name of the rvmtrack that followed them, or %NULL: the nearest one upstream
 *
 * Returns: (transfer none) (nullable): the tracks of these elements on @buffer (the last ones, if there are several), valid as long as it is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_get_track_meta_from (GstBuffer *buffer, const gchar *encoder, const gchar *tracker);

/**
 * gst_rvm_track_meta_set_mask:
 * @meta: tracks
 * @mask: (transfer none) (nullable): GRAY8, with a #GstVideoMeta
 *
 * Returns: %FALSE, and nothing is changed, if @mask is not such a buffer.
 *
 * Since: 0.1
 */
GST_RVM_API gboolean gst_rvm_track_meta_set_mask (GstRvmTrackMeta *meta, GstBuffer *mask);

/**
 * gst_rvm_track_meta_get_mask:
 * @meta: tracks
 * @width: (out) (optional): pixels
 * @height: (out) (optional): pixels
 *
 * Returns: (transfer full) (nullable): the mask, @width * @height bytes without padding; %NULL if there are no masks.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_track_meta_get_mask (const GstRvmTrackMeta *meta, guint *width, guint *height);

/**
 * gst_rvm_track_meta_get_track:
 * @meta: tracks
 * @index: less than n_tracks
 *
 * Returns: (transfer full) (nullable): a copy of a track, %NULL beyond the last.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrack *gst_rvm_track_meta_get_track (const GstRvmTrackMeta *meta, guint index);

/**
 * gst_rvm_track_meta_to_bytes:
 * @meta: tracks
 *
 * Returns: (transfer full): all of @meta, for another process; GStreamer 1.24 does this by itself in unixfdsink.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_track_meta_to_bytes (const GstRvmTrackMeta *meta);

/**
 * gst_rvm_buffer_add_track_meta_from_bytes:
 * @buffer: a writable buffer
 * @bytes: what gst_rvm_track_meta_to_bytes() returned
 *
 * gst_rvm_tracks_new_from_bytes() does the same in two steps and says what is wrong with bytes that are refused.
 *
 * Returns: (transfer none) (nullable): the new meta, %NULL if @bytes are anything else or were written by another version of this library,
 *   with a warning in the debug log.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_add_track_meta_from_bytes (GstBuffer *buffer, GBytes *bytes);

G_END_DECLS
