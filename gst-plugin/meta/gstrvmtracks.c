/* A copy of the meta's fields and tracks, made when it is asked for: the meta itself lives and dies with its buffer. */
#include "gstrvmtracks.h"

#include <gst/video/video.h>
#include <string.h>

#include "gstrvmcopies.h"
#include "gstrvmfields.h"

GType
gst_rvm_tracks_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_boxed_type_register_static ("GstRvmTracks", (GBoxedCopyFunc) gst_rvm_tracks_ref,
            (GBoxedFreeFunc) gst_rvm_tracks_unref));
  return type;
}

GstRvmTracks *
gst_rvm_tracks_new (void)
{
  GstRvmTracks *tracks = g_new0 (GstRvmTracks, 1);

  gst_rvm_fields_init (&gst_rvm_track_fields, GST_RVM_IN_COPY, tracks);
  g_atomic_ref_count_init (&tracks->_ref_count);
  return tracks;
}

GstRvmTracks *
gst_rvm_tracks_ref (GstRvmTracks * tracks)
{
  g_return_val_if_fail (tracks != NULL, NULL);

  g_atomic_ref_count_inc (&tracks->_ref_count);
  return tracks;
}

void
gst_rvm_tracks_unref (GstRvmTracks * tracks)
{
  g_return_if_fail (tracks != NULL);

  if (!g_atomic_ref_count_dec (&tracks->_ref_count))
    return;
  gst_rvm_fields_clear (&gst_rvm_track_fields, GST_RVM_IN_COPY, tracks);
  g_clear_pointer (&tracks->_tracks, g_free);
  gst_clear_buffer (&tracks->_mask);
  g_free (tracks);
}

GstRvmTracks *
gst_rvm_track_meta_get_tracks (const GstRvmTrackMeta * meta)
{
  GstRvmTracks *tracks = gst_rvm_tracks_new ();

  gst_rvm_fields_copy (&gst_rvm_track_fields, GST_RVM_IN_META, meta, GST_RVM_IN_COPY, tracks);
  tracks->n_tracks = meta->n_tracks;
  tracks->_tracks = g_memdup2 (meta->tracks, meta->n_tracks * sizeof *meta->tracks);
  gst_buffer_replace (&tracks->_mask, meta->mask);
  return tracks;
}

GstRvmTracks *
gst_rvm_buffer_get_tracks (GstBuffer * buffer, const gchar * encoder, const gchar * tracker)
{
  const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta_from (buffer, encoder, tracker);

  return meta ? gst_rvm_track_meta_get_tracks (meta) : NULL;
}

GstRvmTrackMeta *
gst_rvm_buffer_add_tracks (GstBuffer * buffer, const GstRvmTracks * tracks)
{
  GstRvmTrackMeta *meta;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (tracks != NULL, NULL);

  meta = gst_rvm_buffer_add_track_meta (buffer, tracks->_tracks, tracks->n_tracks);
  gst_rvm_fields_copy (&gst_rvm_track_fields, GST_RVM_IN_COPY, tracks, GST_RVM_IN_META, meta);
  gst_buffer_replace (&meta->mask, tracks->_mask);
  return meta;
}

GstRvmTrack *
gst_rvm_tracks_get_track (const GstRvmTracks * tracks, guint index)
{
  g_return_val_if_fail (tracks != NULL, NULL);

  return tracks->_tracks && index < tracks->n_tracks ? gst_rvm_track_copy (&tracks->_tracks[index]) : NULL;
}

GBytes *
gst_rvm_mask_get_pixels (GstBuffer * mask, guint * width, guint * height)
{
  GstVideoMeta *video;
  GstMapInfo map;
  guint8 *plane, *pixels;
  gint stride;

  if (width)
    *width = 0;
  if (height)
    *height = 0;
  if (mask == NULL)
    return NULL;
  video = gst_buffer_get_video_meta (mask);
  if (!gst_video_meta_map (video, 0, &map, (gpointer *) & plane, &stride, GST_MAP_READ))
    return NULL;
  pixels = g_malloc ((gsize) video->width * video->height);
  for (guint y = 0; y < video->height; y++)
    memcpy (pixels + (gsize) y * video->width, plane + (gssize) y * stride, video->width);
  gst_video_meta_unmap (video, 0, &map);
  if (width)
    *width = video->width;
  if (height)
    *height = video->height;
  return g_bytes_new_take (pixels, (gsize) video->width * video->height);
}

GBytes *
gst_rvm_tracks_get_mask (const GstRvmTracks * tracks, guint * width, guint * height)
{
  g_return_val_if_fail (tracks != NULL, NULL);

  return gst_rvm_mask_get_pixels (tracks->_mask, width, height);
}
