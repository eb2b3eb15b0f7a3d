/* The tracks of a frame as an object of their own: a reference-counted, immutable copy of a GstRvmTrackMeta that stays valid after the buffer is
 * gone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gstrvmtrackmeta.h"

G_BEGIN_DECLS

typedef struct _GstRvmTracks GstRvmTracks;

/**
 * GstRvmTracks:
 * @n_tracks: how many tracks there are
 * @tracker: (nullable): the name of the rvmtrack element that followed them
 * @encoder: (nullable): the name of the rvmencode element whose features it followed
 * @source: the run of that element, as in #GstRvmFeatureMeta; 0 if unknown
 * @update: the number of the analysed frame that the positions belong to, as in #GstRvmFeatureMeta; 0 if unknown
 * @frame_width: width of the upright picture in whose pixels positions are given, 0 if unknown
 * @frame_height: height of that picture, 0 if unknown
 * @orientation: how the picture in the buffer has to be turned to be that upright one, a #GstVideoOrientationMethod
 *
 * All tracks of a frame, with the fields of #GstRvmTrackMeta. The fields are for reading only; strings belong to the structure. The tracks
 * are read by gst_rvm_tracks_get_track(), masks by gst_rvm_tracks_get_mask().
 *
 * Since: 0.1
 */
struct _GstRvmTracks {
  guint n_tracks;
  gchar *tracker;
  gchar *encoder;
  guint64 source;
  guint64 update;
  guint frame_width;
  guint frame_height;
  guint orientation;

  /*< private >*/
  GstRvmTrack *_tracks;
  GstBuffer *_mask;
  gint _ref_count;
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

#define GST_TYPE_RVM_TRACKS (gst_rvm_tracks_get_type ())
GST_RVM_API GType gst_rvm_tracks_get_type (void);

/**
 * gst_rvm_buffer_get_tracks:
 * @buffer: a buffer
 * @encoder: (nullable): the name of the rvmencode whose features the tracks were followed with, or %NULL: any
 * @tracker: (nullable): the name of the rvmtrack that followed them, or %NULL: the nearest one upstream
 *
 * The tracks on @buffer, which stay valid as long as the reference is held, even after the buffer is gone.
 *
 * Returns: (transfer full) (nullable): the tracks, or %NULL if there are none from these elements.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTracks *gst_rvm_buffer_get_tracks (GstBuffer *buffer, const gchar *encoder, const gchar *tracker);

/**
 * gst_rvm_track_meta_get_tracks:
 * @meta: tracks on a buffer
 *
 * Returns: (transfer full): the same tracks, which stay valid as long as the reference is held.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTracks *gst_rvm_track_meta_get_tracks (const GstRvmTrackMeta *meta);

/**
 * gst_rvm_buffer_add_tracks:
 * @buffer: a writable buffer
 * @tracks: tracks
 *
 * Attaches @tracks to @buffer as a #GstRvmTrackMeta, which shares the mask.
 *
 * Returns: (transfer none): the new meta, valid as long as @buffer is.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrackMeta *gst_rvm_buffer_add_tracks (GstBuffer *buffer, const GstRvmTracks *tracks);

/**
 * gst_rvm_tracks_ref:
 * @tracks: tracks
 *
 * Returns: (transfer full): @tracks with another reference.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTracks *gst_rvm_tracks_ref (GstRvmTracks *tracks);

/**
 * gst_rvm_tracks_unref:
 * @tracks: (transfer full): tracks
 *
 * Drops a reference; dropping the last one frees @tracks.
 *
 * Since: 0.1
 */
GST_RVM_API void gst_rvm_tracks_unref (GstRvmTracks *tracks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstRvmTracks, gst_rvm_tracks_unref)

/**
 * gst_rvm_tracks_get_track:
 * @tracks: tracks
 * @index: less than n_tracks
 *
 * Returns: (transfer full) (nullable): a copy of the track, or %NULL beyond the last.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTrack *gst_rvm_tracks_get_track (const GstRvmTracks *tracks, guint index);

/**
 * gst_rvm_tracks_get_mask:
 * @tracks: tracks
 * @width: (out) (optional): width in pixels
 * @height: (out) (optional): height in pixels
 *
 * Returns: (transfer full) (nullable): the mask, @width * @height bytes without padding; %NULL if there are no masks.
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_tracks_get_mask (const GstRvmTracks *tracks, guint *width, guint *height);

/**
 * gst_rvm_tracks_to_bytes:
 * @tracks: tracks
 *
 * Returns: (transfer full): all of @tracks, for another process; the same as gst_rvm_track_meta_to_bytes().
 *
 * Since: 0.1
 */
GST_RVM_API GBytes *gst_rvm_tracks_to_bytes (const GstRvmTracks *tracks);

/**
 * gst_rvm_tracks_new_from_bytes:
 * @bytes: what gst_rvm_tracks_to_bytes() or gst_rvm_track_meta_to_bytes() returned, in this process or in another
 * @error: return location for a #GError
 *
 * Reads tracks that came from elsewhere. Bytes in another version of the format are refused.
 *
 * Returns: (transfer full): the tracks, or %NULL with @error set to %GST_STREAM_ERROR_DECODE and a text that names what is wrong.
 *
 * Since: 0.1
 */
GST_RVM_API GstRvmTracks *gst_rvm_tracks_new_from_bytes (GBytes *bytes, GError **error);

G_END_DECLS
