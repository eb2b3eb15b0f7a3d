/* Regions are whole pixels, cut at the picture's border; the track meta keeps fractions of pixels and what is outside. */
#include "track_outputs.h"

#include <gst/video/video.h>

#include "analytics.h"

static void
add_region (GstBuffer * buffer, const GstRvmTrackMeta * meta, const GstRvmTrack * track, gdouble width, gdouble height)
{
  const gdouble left = CLAMP (track->x, 0, width), top = CLAMP (track->y, 0, height);
  GstVideoRegionOfInterestMeta *region = gst_buffer_add_video_region_of_interest_meta (buffer, "rvm-track",
      left, top, CLAMP (track->x + track->width, left, width) - left,
      CLAMP (track->y + track->height, top, height) - top);

  region->id = track->id;
  /* Ids of two rvmtrack may be equal. */
  gst_video_region_of_interest_meta_add_param (region, gst_structure_new ("rvm-track", "tracker", G_TYPE_STRING, meta->tracker,
          "encoder", G_TYPE_STRING, meta->encoder, "confidence", G_TYPE_DOUBLE, track->confidence, NULL));
}

void
rvm_track_outputs_attach (GstBuffer * buffer, const GArray * tracks, GstBuffer * mask, guint width, guint height,
    const GstRvmFeatureMeta * features, const gchar * tracker)
{
  GstRvmTrackMeta *meta = gst_rvm_buffer_add_track_meta (buffer, (const GstRvmTrack *) tracks->data, tracks->len);

  gst_rvm_track_meta_set_mask (meta, mask);
  meta->tracker = g_utf8_make_valid (tracker, -1);
  meta->encoder = g_strdup (features->encoder);
  meta->source = features->source;
  meta->update = features->update;
  meta->frame_width = width;
  meta->frame_height = height;
  for (guint i = 0; i < meta->n_tracks; i++) {
    GstRvmTrack *track = &meta->tracks[i];

    track->x *= width;
    track->width *= width;
    track->y *= height;
    track->height *= height;
    if (track->kind != GST_RVM_TRACK_POINT && track->visible)
      add_region (buffer, meta, track, width, height);
  }
  rvm_analytics_add_tracks (buffer, meta, width, height);
}
