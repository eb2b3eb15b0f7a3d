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
 * @id: the same on all frames; an element never uses an id twice
 * @kind: what is followed
 * @x: distance of a point, or of the left edge of a box, from the left of the upright picture, in pixels; for a mask, the smallest box around it
 * @y: distance of a point, or of the upper edge of a box, from the top of the upright picture, in pixels
 * @width: width of the box in pixels; 0 for a point
 * @height: height of the box in pixels; 0 for a point
 * @confidence: 0 to 1, an estimate of the overlap (intersection over union) between what was found and the object; 1 on the frame on which the object was given
 * @visible: whether the object is on this frame, judged by its confidence (rvmtrack's properties lost-threshold and found-threshold); a track that is not
 *   visible is lost and keeps the position of @last_seen until it is found again
 * @first_seen: presentation time of the frame on which the object was given
 * @last_seen: presentation time of the last frame on which it was found
 * @mask_value: for a mask: the value of its pixels in the meta's mask, 1 to 255; otherwise 0
 * @label: the detector's name for the object, 0 if no detector gave it; the detector's own bytes, which need not be UTF-8 (when written or sent as text,
 *   invalid bytes are replaced by U+FFFD)
 *
 * A track's position on one frame.
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
 * @n_tracks: number of tracks
 * @tracks: (array length=n_tracks): the tracks, ordered by id
 * @mask: (nullable): if there are masks, an upright picture that covers the whole frame: GRAY8, with a #GstVideoMeta that has its size (that of the
 *   frame on which it was made; it does not change when the frame is scaled). A pixel is the @mask_value of its track, or 0. Shared: do not write.
 * @tracker: (nullable): the name of the rvmtrack element that followed them; ids are unique within one
 * @encoder: (nullable): the name of the rvmencode element whose features it followed
 * @source: the run of that element, as in #GstRvmFeatureMeta; 0 if unknown
 * @update: the number of the analysed frame that the positions belong to, as in #GstRvmFeatureMeta; 0 if unknown. Tracks with the same
 *   @tracker, @source and @update are equal
 * @frame_width: width of the upright picture in whose pixels positions are given, 0 if unknown
 * @frame_height: height of that picture, 0 if unknown
 * @orientation: how the picture in the buffer has to be turned to be that upright one, as in #GstRvmFeatureMeta
 *
 * All tracks of a frame, with positions in the picture as it is shown: upright and without the margins of a #GstVideoCropMeta. Positions are adapted when the
 * picture is scaled; elements that crop or move the picture drop the meta. The fields are for reading from C; strings, @tracks and @mask belong to the meta,
 * which is freed with its buffer. Bindings use #GstRvmTracks, which gst_rvm_buffer_get_tracks() returns.
 *
 * A buffer that has passed several rvmtrack has a meta from each; see gst_rvm_buffer_get_track_meta_from().
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
 * @n_tracks: number of tracks
 *
 * Attaches tracks. The caller then fills in the other fields; their strings are owned by the meta.
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
 * this function returns must not be used after the buffer is gone.
 *
 * Returns: (transfer none) (nullable): the tracks, valid as long as @buffer is.
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
 * Returns: (transfer none) (nullable): the tracks from these elements on @buffer (the last ones, if there are several), valid as long as it is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_get_track_meta_from (GstBuffer *buffer, const gchar *encoder, const gchar *tracker);

/**
 * gst_rvm_track_meta_set_mask:
 * @meta: tracks
 * @mask: (transfer none) (nullable): GRAY8, with a #GstVideoMeta
 *
 * Returns: %FALSE if @mask is not such a buffer; then nothing is changed.
 *
 * Since: 0.1
 */
GST_RVM_API gboolean gst_rvm_track_meta_set_mask (GstRvmTrackMeta *meta, GstBuffer *mask);

/**
 * gst_rvm_track_meta_get_mask:
 * @meta: tracks
 * @width: (out) (optional): width in pixels
 * @height: (out) (optional): height in pixels
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
 * Returns: (transfer full) (nullable): a copy of the track, or %NULL beyond the last.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrack *gst_rvm_track_meta_get_track (const GstRvmTrackMeta *meta, guint index);

/**
 * gst_rvm_track_meta_to_bytes:
 * @meta: tracks
 *
 * Returns: (transfer full): all of @meta, for another process; from GStreamer 1.24 on, unixfdsink does this by itself.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_track_meta_to_bytes (const GstRvmTrackMeta *meta);

/**
 * gst_rvm_buffer_add_track_meta_from_bytes:
 * @buffer: a writable buffer
 * @bytes: what gst_rvm_track_meta_to_bytes() returned
 *
 * Attaches the tracks in @bytes. gst_rvm_tracks_new_from_bytes() and gst_rvm_buffer_add_tracks() do the same in two steps and report what is wrong
 * with bytes that are refused.
 *
 * Returns: (transfer none) (nullable): the new meta; %NULL, with a warning in the debug log, if @bytes are anything else or have another version of
 *   the format.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_add_track_meta_from_bytes (GstBuffer *buffer, GBytes *bytes);

G_END_DECLS
