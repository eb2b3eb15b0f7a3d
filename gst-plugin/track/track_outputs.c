/* Regions are whole pixels, cut at the border of what is shown; the track meta keeps fractions of pixels and what is outside. */
#include "track_outputs.h"

#include "analytics.h"

static void
add_region (GstBuffer * buffer, const GstRvmTrackMeta * meta, const GstRvmTrack * track, const RvmView * view)
{
  const GstVideoRectangle stored = rvm_view_get_stored_box (view, track->x, track->y, track->width, track->height);
  GstVideoRegionOfInterestMeta *region = gst_buffer_add_video_region_of_interest_meta (buffer, "rvm-track", stored.x, stored.y,
      stored.w, stored.h);

  region->id = track->id;
  /* Ids of two rvmtrack may be equal. */
  gst_video_region_of_interest_meta_add_param (region, gst_structure_new ("rvm-track", "tracker", G_TYPE_STRING, meta->tracker,
          "encoder", G_TYPE_STRING, meta->encoder, "confidence", G_TYPE_DOUBLE, track->confidence, NULL));
}

void
rvm_track_outputs_attach (GstBuffer * buffer, const GArray * tracks, GstBuffer * mask, const RvmView * view,
    const GstRvmFeatureMeta * features, const gchar * tracker)
{
  GstRvmTrackMeta *meta = gst_rvm_buffer_add_track_meta (buffer, (const GstRvmTrack *) tracks->data, tracks->len);

  gst_rvm_track_meta_set_mask (meta, mask);
  meta->tracker = g_utf8_make_valid (tracker, -1);
  meta->encoder = g_strdup (features->encoder);
  meta->source = features->source;
  meta->update = features->update;
  rvm_view_get_size (view, &meta->frame_width, &meta->frame_height);
  meta->orientation = view->orientation;
  for (guint i = 0; i < meta->n_tracks; i++) {
    GstRvmTrack *track = &meta->tracks[i];

    track->x *= meta->frame_width;
    track->width *= meta->frame_width;
    track->y *= meta->frame_height;
    track->height *= meta->frame_height;
    if (track->kind != GST_RVM_TRACK_POINT && track->visible)
      add_region (buffer, meta, track, view);
  }
  rvm_analytics_add_tracks (buffer, meta, view);
}
