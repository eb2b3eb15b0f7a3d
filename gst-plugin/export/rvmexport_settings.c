/* One table says everything about the properties: see settings.h. */
#include "rvmexport_settings.h"

#include <gst/gst.h>

void
gst_rvm_export_settings_install (GObjectClass * klass, guint first_id)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
#define AT(field) G_STRUCT_OFFSET (GstRvmExportSettings, field)
  const RvmSetting list[] = {
    {AT (frames), g_param_spec_uint64 ("frames", "Frames", "Frames written", 0, G_MAXUINT64, 0,
              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)},
    {AT (lines), g_param_spec_string ("location", "Location",
              "File for JSON lines: class token, provenance, timing and tracks of each frame", NULL, ready)},
    {AT (features), g_param_spec_string ("features-location", "Features location", "File for patch features, float32 (T, rows,"
              " columns, D): NumPy, or .safetensors, with class tokens and times, if the name ends with that", NULL, ready)},
    {AT (class_tokens), g_param_spec_string ("class-location", "Class location",
              "NumPy file for class tokens, float32 (T, D)", NULL, ready)},
    {AT (tracks), g_param_spec_string ("tracks-location", "Tracks location", "CSV file for tracks in the layout of MOTChallenge:"
              " frame, id, left, top, width, height, confidence, -1, -1, -1, counted from 1", NULL, ready)},
    {AT (masks), g_param_spec_string ("masks-location", "Masks location", "Files for the masks of each frame, indexed PNG; %05d or"
              " the like in the name is replaced by the frame's index", NULL, ready)},
    {AT (events), g_param_spec_string ("events-location", "Events location", "CSV file for the events of rvmreadout, a line for each that has"
              " ended: readout, class, start and end in seconds, confidence", NULL, ready)},
    {AT (maps), g_param_spec_string ("maps-location", "Maps location", "Files for the maps of rvmreadout, PNG: depths as 16 bits in thousandths of"
              " their unit, labels as indexes; %05d or the like in the name is replaced by the frame's index", NULL, ready)},
    {AT (readout), g_param_spec_string ("readout", "Readout", "Name of the rvmreadout whose maps are written (unset = the nearest one upstream"
              " that has any)", NULL, ready)},
    {AT (encoder), g_param_spec_string ("encoder", "Encoder", "Name of the rvmencode whose features, and tracks followed with"
              " them, are written (unset = the nearest one upstream)", NULL, ready)},
    {AT (tracker), g_param_spec_string ("tracker", "Tracker", "Name of the rvmtrack whose tracks are written (unset = the nearest"
              " one upstream)", NULL, ready)},
  };
#undef AT

  rvm_settings_install (klass, first_id, list, G_N_ELEMENTS (list));
}
