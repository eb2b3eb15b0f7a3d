/* One table says everything about the properties: see settings.h. */
#include "rvmreadout_settings.h"

#include "device_notice.h"
#include "precision.h"

void
gst_rvm_readout_settings_install (GObjectClass * klass, guint first_id)
{
  const GParamFlags shown = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = shown | GST_PARAM_MUTABLE_READY, live = shown | GST_PARAM_MUTABLE_PLAYING;
#define AT(field) G_STRUCT_OFFSET (GstRvmReadoutSettings, field)
  const RvmSetting list[] = {
    {AT (file), g_param_spec_string ("readout-file", "Readout file", "Readout to apply, a file that rvm-cl-train readout has written."
              " Another file can be set while playing; if it cannot be used, there is a warning and the one before stays", NULL, live)},
    {AT (device), g_param_spec_string ("device", "Device", "OpenCL device: its index, or part of its name or of its"
              " platform's name (unset = the first GPU, or else the CPU)", NULL, ready)},
    {AT (cache_dir), g_param_spec_string ("cache-dir", "Cache directory", RVM_CACHE_DIR_BLURB, NULL, ready)},
    {AT (precision), g_param_spec_enum ("precision", "Precision", "How an attention readout's weights are stored on the device, and with bf16"
              " multiplied where the processor can, as for rvmencode", gst_rvm_precision_get_type (), RVM_ELEMENT_F32, ready)},
    {AT (encoder), g_param_spec_string ("encoder", "Encoder", "Name of the rvmencode whose features are read (unset = the nearest one"
              " upstream)", NULL, live)},
    {AT (force_model), g_param_spec_boolean ("force-model", "Force model", "Read the features of another model than the one the readout"
              " was trained on, if only their size fits", FALSE, live)},
    {AT (events), g_param_spec_boolean ("events", "Events", "For classes and distances: find events, mark them in the metadata and"
              " post rvm-event messages", TRUE, live)},
    {AT (event_on), g_param_spec_double ("event-on", "Event on", "Smoothed probability, or distance, from which an event begins"
              " (-1 = 0.6 for classes, 2 for distances)", -1, G_MAXDOUBLE, -1, live)},
    {AT (event_off), g_param_spec_double ("event-off", "Event off", "Smoothed probability, or distance, below which an event ends"
              " (-1 = two thirds of event-on)", -1, G_MAXDOUBLE, -1, live)},
    {AT (half_life), g_param_spec_uint64 ("half-life", "Half-life", "Time after which an answer counts half in the smoothed one, in"
              " nanoseconds (0 = answers are not smoothed)", 0, G_MAXUINT64, 200 * GST_MSECOND, live)},
    {AT (least), g_param_spec_uint64 ("min-duration", "Minimum duration", "Shorter events are not reported, in nanoseconds", 0,
              G_MAXUINT64, 200 * GST_MSECOND, live)},
    {AT (background), g_param_spec_string ("background", "Background", "Name of a class that is never an event (unset = every class can be"
              " one)", NULL, live)},
  };
#undef AT

  rvm_settings_install (klass, first_id, list, G_N_ELEMENTS (list));
}
