/* One table says everything about the properties: see settings.h. The defaults of context, radius, top-k and temperature are those of the paper. */
#include "rvmtrack_settings.h"

#include "device_notice.h"
#include "model/refine.h"
#include "tracker.h"

#define MAX_TRACKS 1024
/* docs/quality.md has the measurements behind these. */
#define DEFAULT_COLOURS 0
#define DEFAULT_PLACE 0.1
#define DEFAULT_REFINE 1
#define DEFAULT_LOST 0.35
#define DEFAULT_FOUND 0.45

void
gst_rvm_track_settings_install (GObjectClass * klass, guint first_id)
{
  const GParamFlags shown = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = shown | GST_PARAM_MUTABLE_READY, live = shown | GST_PARAM_MUTABLE_PLAYING;
  const RvmPropagationSettings paper = RVM_PROPAGATION_DEFAULT;
#define AT(field) G_STRUCT_OFFSET (GstRvmTrackSettings, field)
  const RvmSetting list[] = {
    {AT (device), g_param_spec_string ("device", "Device", "OpenCL device: its index, or part of its name or of its"
              " platform's name (unset = the first GPU, or else the CPU)", NULL, ready)},
    {AT (cache_dir), g_param_spec_string ("cache-dir", "Cache directory", RVM_CACHE_DIR_BLURB, NULL, ready)},
    {AT (encoder), g_param_spec_string ("encoder", "Encoder", "Name of the rvmencode whose features are used (unset = the"
              " nearest one upstream)", NULL, live)},
    {AT (points), g_param_spec_string ("points", "Points", "Points to follow from the first frame on: x,y;x,y;... in pixels of the"
              " upright picture, or in fractions of it if neither number is above 1; if set while playing, used after the next reset",
              NULL, live)},
    {AT (boxes), g_param_spec_string ("boxes", "Boxes", "Boxes to follow from the first frame on: x,y,width,height;... in pixels"
              " of the upright picture, or in fractions of it if no number is above 1; if set while playing, used after the next reset",
              NULL, live)},
    {AT (mask_file), g_param_spec_string ("mask-file", "Mask file", "Objects to follow from the first frame on: an indexed or grey PNG"
              " of the upright picture's size (in its own or in square pixels), one value for each object, 0 for the background", NULL, ready)},
    {AT (regions), g_param_spec_enum ("regions", "Regions", "Which regions that a detector attached to buffers are followed"
              " as boxes", gst_rvm_track_regions_get_type (), GST_RVM_TRACK_REGIONS_FIRST, live)},
    {AT (max_tracks), g_param_spec_uint ("max-tracks", "Maximum tracks", "Maximum number of tracks at a time; more points, boxes"
              " or objects of a mask are an error, more regions or signals cause a warning", 1, RVM_TRACKER_LIMIT, MAX_TRACKS, ready)},
    {AT (context), g_param_spec_uint ("context", "Context", "Number of frames remembered besides the first", 0, 256, paper.context,
              ready)},
    {AT (radius), g_param_spec_uint ("radius", "Radius", "How far a patch can move: earlier patches at this distance or further"
              " away, counted in patches, are not matched with it (0 = any distance)", 0, 4096,
              paper.radius, ready)},
    {AT (top), g_param_spec_uint ("top-k", "Top k", "Number of matches whose labels are averaged", 1, 32, paper.top, ready)},
    {AT (temperature), g_param_spec_double ("temperature", "Temperature", "Temperature of the softmax over the matches", 0.001, 1000,
              paper.temperature, ready)},
    {AT (standardise), g_param_spec_boolean ("standardise", "Standardise", "Normalise each channel of the features to mean 0 and"
              " deviation 1 over the frame, which tracks better with the bundled model (false = as published)", TRUE, ready)},
    {AT (colours), g_param_spec_double ("colours", "Colours", "Weight of mean colours of patches beside features, whose weight is 1, when patches are"
              " compared (0 = as published)", 0, 100, DEFAULT_COLOURS, ready)},
    {AT (place), g_param_spec_double ("place", "Place", "Weight of positions of patches beside features, whose weight is 1, when patches are compared"
              " (0 = as published)", 0, 100, DEFAULT_PLACE, ready)},
    {AT (refine), g_param_spec_double ("refine", "Refine", "How far, in patches, the edges of masks follow those of colours in the picture (0 = not at all,"
              " as published)", 0, RVM_REFINE_MOST, DEFAULT_REFINE, ready)},
    {AT (lost_threshold), g_param_spec_double ("lost-threshold", "Lost threshold", "Confidence below which a visible track is lost (0 = never, as"
              " published)", 0, 1, DEFAULT_LOST, live)},
    {AT (found_threshold), g_param_spec_double ("found-threshold", "Found threshold", "Confidence at which a lost track is found again; at least"
              " lost-threshold is used", 0, 1, DEFAULT_FOUND, live)},
  };
#undef AT

  rvm_settings_install (klass, first_id, list, G_N_ELEMENTS (list));
}
