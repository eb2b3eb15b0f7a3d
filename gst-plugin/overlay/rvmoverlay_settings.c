/* One table says everything about the properties: see settings.h. */
#include "rvmoverlay_settings.h"

GType
gst_rvm_overlay_mode_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {RVM_PICTURE_PCA, "Principal components as colours", "pca"},
      {RVM_PICTURE_SIMILARITY, "Similarity to the patch at x, y", "similarity"},
      {RVM_PICTURE_CHANGE, "Change from the frame before", "change"},
      {RVM_PICTURE_NONE, "No features", "none"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmOverlayMode", values));
  }
  return type;
}

void
gst_rvm_overlay_settings_install (GObjectClass * klass, guint first_id)
{
  const GParamFlags shown = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = shown | GST_PARAM_MUTABLE_READY, live = shown | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags controlled = live | GST_PARAM_CONTROLLABLE;
#define AT(field) G_STRUCT_OFFSET (GstRvmOverlaySettings, field)
  const RvmSetting list[] = {
    {AT (picture.features.kind), g_param_spec_enum ("mode", "Mode", "What the colours show", gst_rvm_overlay_mode_get_type (),
              RVM_PICTURE_PCA, controlled)},
    {AT (picture.alpha), g_param_spec_double ("alpha", "Alpha", "Opacity of the colours", 0, 1, 0.6, controlled)},
    {AT (picture.features.x), g_param_spec_double ("x", "X", "For mode=similarity: horizontal position of the point that all patches are"
              " compared with, as a fraction of the upright picture's width", 0, 1, 0.5, controlled)},
    {AT (picture.features.y), g_param_spec_double ("y", "Y", "For mode=similarity: vertical position of the point that all patches are"
              " compared with, as a fraction of the upright picture's height", 0, 1, 0.5, controlled)},
    {AT (picture.features.hold), g_param_spec_boolean ("hold", "Hold", "For mode=similarity: compare with the features that were at the"
              " point when x, y or hold was set, instead of those that are there now", FALSE, controlled)},
    {AT (picture.features.gain), g_param_spec_double ("gain", "Gain", "For mode=change: factor that cosine distances are multiplied by;"
              " a product of 1 or more has the top colour", 0, 1e6, 30, controlled)},
    {AT (fit_frames), g_param_spec_uint ("fit-frames", "Fit frames", "For mode=pca: number of frames that the principal components are"
              " fitted on", 1, 64, 8, ready)},
    {AT (basis_file), g_param_spec_string ("basis-file", "Basis file", "For mode=pca: .npz or .safetensors file with the arrays mean (D),"
              " components (3, D) and deviation (3) (unset = fit them on the first frames)", NULL, ready)},
    {AT (picture.tracks), g_param_spec_boolean ("tracks", "Tracks", "Draw the points, boxes and masks of rvmtrack", TRUE, controlled)},
    {AT (picture.trail), g_param_spec_uint ("trail", "Trail", "Length of a track's trail in analysed frames", 0, 10000, 32, controlled)},
    {AT (picture.readouts), g_param_spec_boolean ("readouts", "Readouts", "Draw the answers of rvmreadout: probabilities and distances in"
              " the lower left corner, maps over the picture", TRUE, controlled)},
    {AT (encoder), g_param_spec_string ("encoder", "Encoder", "Name of the rvmencode whose features, and tracks followed with them, are"
              " shown (unset = the nearest one upstream)", NULL, live)},
    {AT (tracker), g_param_spec_string ("tracker", "Tracker", "Name of the rvmtrack whose tracks are drawn (unset = the nearest one"
              " upstream)", NULL, live)},
  };
#undef AT

  rvm_settings_install (klass, first_id, list, G_N_ELEMENTS (list));
}
