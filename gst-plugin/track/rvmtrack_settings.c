/* Defaults of the propagation are the paper's. */
#include "rvmtrack_settings.h"

#include "device_notice.h"
#include "tracker.h"

#define MAX_TRACKS 1024

void
gst_rvm_track_settings_install (GObjectClass * klass, guint first_id)
{
  const GParamFlags shown = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = shown | GST_PARAM_MUTABLE_READY, live = shown | GST_PARAM_MUTABLE_PLAYING;
  const RvmPropagationSettings paper = RVM_PROPAGATION_DEFAULT;
#define AT(field) G_STRUCT_OFFSET (GstRvmTrackSettings, field)
  const RvmSetting list[] = {
    {AT (device), g_param_spec_string ("device", "Device", "OpenCL device: its index, or part of its or its platform's"
              " name (unset: the first GPU, else the CPU)", NULL, ready)},
    {AT (cache_dir), g_param_spec_string ("cache-dir", "Cache directory", RVM_CACHE_DIR_BLURB, NULL, ready)},
    {AT (encoder), g_param_spec_string ("encoder", "Encoder", "Name of the rvmencode whose features are followed (unset: the"
              " nearest one upstream)", NULL, live)},
    {AT (points), g_param_spec_string ("points", "Points", "Points of the first frame: x,y;x,y;... in pixels of the upright"
              " picture, or in fractions of it if neither is above 1; what is set while playing counts from the next start of the state",
              NULL, live)},
    {AT (boxes), g_param_spec_string ("boxes", "Boxes", "Boxes of the first frame: x,y,width,height;... in pixels of the"
              " upright picture, or in fractions of it if none is above 1; what is set while playing counts from the next start of the state",
              NULL, live)},
    {AT (mask_file), g_param_spec_string ("mask-file", "Mask file", "Objects of the first frame: an indexed or grey PNG"
              " of the upright picture's size (in its own or in square pixels), a value an object, 0 the background", NULL, ready)},
    {AT (regions), g_param_spec_enum ("regions", "Regions", "Whether regions that a detector left on buffers are followed"
              " as boxes", gst_rvm_track_regions_get_type (), GST_RVM_TRACK_REGIONS_FIRST, live)},
    {AT (max_tracks), g_param_spec_uint ("max-tracks", "Most tracks", "Tracks at once: more points, boxes or objects of a"
              " mask are an error, more regions and signals a warning", 1, RVM_TRACKER_LIMIT, MAX_TRACKS, ready)},
    {AT (context), g_param_spec_uint ("context", "Context", "Frames remembered besides the first", 0, 256, paper.context,
              ready)},
    {AT (radius), g_param_spec_uint ("radius", "Radius", "Patches that a match may be away (0: any)", 0, 4096,
              paper.radius, ready)},
    {AT (top), g_param_spec_uint ("top-k", "Top k", "Matches that count", 1, 32, paper.top, ready)},
    {AT (temperature), g_param_spec_double ("temperature", "Temperature", "Of the matches' softmax", 0.001, 1000,
              paper.temperature, ready)},
    {AT (standardise), g_param_spec_boolean ("standardise", "Standardise", "Compare features with each channel brought to"
              " mean 0 and deviation 1 over the frame, which follows better with the bundled model; false: as published", TRUE, ready)},
  };
#undef AT

  rvm_settings_install (klass, first_id, list, G_N_ELEMENTS (list));
}

void
gst_rvm_track_settings_clear (GstRvmTrackSettings * settings)
{
  g_clear_pointer (&settings->device, g_free);
  g_clear_pointer (&settings->cache_dir, g_free);
  g_clear_pointer (&settings->encoder, g_free);
  g_clear_pointer (&settings->points, g_free);
  g_clear_pointer (&settings->boxes, g_free);
  g_clear_pointer (&settings->mask_file, g_free);
}
