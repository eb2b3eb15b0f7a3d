/* Regions are whole pixels, cut at the picture's border; the track meta keeps fractions of pixels and what is outside. */
#include "track_outputs.h"

#include <gst/video/video.h>

#include "analytics.h"

static void
add_region (GstBuffer * buffer, const GstRvmTrack * track, gdouble width, gdouble height)
{
  const gdouble left = CLAMP (track->x, 0, width), top = CLAMP (track->y, 0, height);
  GstVideoRegionOfInterestMeta *region = gst_buffer_add_video_region_of_interest_meta (buffer, "rvm-track",
      left, top, CLAMP (track->x + track->width, left, width) - left,
      CLAMP (track->y + track->height, top, height) - top);

  region->id = track->id;
}

void
rvm_track_outputs_attach (GstBuffer * buffer, const GArray * tracks, GstBuffer * mask, guint width, guint height)
{
  GstRvmTrackMeta *meta = gst_rvm_buffer_add_track_meta (buffer, (const GstRvmTrack *) tracks->data, tracks->len);

  gst_rvm_track_meta_set_mask (meta, mask);
  for (guint i = 0; i < meta->n_tracks; i++) {
    GstRvmTrack *track = &meta->tracks[i];

    track->x *= width;
    track->width *= width;
    track->y *= height;
    track->height *= height;
    if (track->kind != GST_RVM_TRACK_POINT && track->visible)
      add_region (buffer, track, width, height);
  }
  rvm_analytics_add_tracks (buffer, meta, width, height);
}
