/* One list says all there is to say about a property: its specification and
 * the field behind it (settings.h). */
#include "rvmencode_settings.h"

#include <gst/video/video.h>

#include "kernels/ops/linear.h"
#include "device_notice.h"
#include "meta/gstrvmmeta.h"
#include "rvmencode_types.h"

#define MAX_SIDE 16384
#define MAX_WARM_UP 1000
#define MAX_SNAPSHOTS 65536

void
gst_rvm_encode_settings_install (GObjectClass * klass, guint first_id)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_CONSTRUCT
      | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_CONSTRUCT
      | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
#define AT(field) G_STRUCT_OFFSET (GstRvmEncodeSettings, field)
  const RvmSetting properties[] = {
    {AT (model_file), g_param_spec_string ("model-file", "Model file",
              "Weights, .npz or .safetensors (unset: the bundled model, or what"
              " the environment variable RVM_DEFAULT_MODEL names). While playing,"
              " another file is loaded in the background and takes over between"
              " two frames; one that cannot be used is a warning", NULL, live)},
    {AT (on_model_change), g_param_spec_enum ("on-model-change",
              "On model change",
              "What becomes of the state when other weights take over",
              gst_rvm_model_change_get_type (),
              GST_RVM_MODEL_CHANGE_RESET_STATE, live)},
    {AT (watch_model), g_param_spec_boolean ("watch-model", "Watch model",
              "Load the model file again whenever it is replaced, as a trainer"
              " does", FALSE, live)},
    {AT (device), g_param_spec_string ("device", "Device",
              "OpenCL device: its index, or part of its or its platform's name"
              " (unset: the first GPU, else the CPU)", NULL, ready)},
    {AT (gemm), g_param_spec_enum ("gemm", "GEMM",
              "Who multiplies matrices", gst_rvm_gemm_get_type (),
              RVM_GEMM_AUTO, ready)},
    {AT (precision), g_param_spec_enum ("precision", "Precision",
              "How weights are stored; sums are always 32 bits",
              gst_rvm_precision_get_type (), RVM_ELEMENT_F32, ready)},
    {AT (size), g_param_spec_uint ("size", "Size",
              "Shorter side of the analysed picture, square pixels, rounded to the"
              " nearest number of whole patches, at least one, as stats shows (0 = the video's own)", 0, MAX_SIDE, 0, live)},
    {AT (width), g_param_spec_uint ("width", "Width",
              "Width of the analysed picture, pixels, rounded as size is"
              " (0 = from height or size)", 0, MAX_SIDE, 0, live)},
    {AT (height), g_param_spec_uint ("height", "Height",
              "Height of the analysed picture, pixels, rounded as size is"
              " (0 = from width or size)", 0, MAX_SIDE, 0, live)},
    /* Called as by GstVideoDirection. The element does not implement that
     * interface, which promises that the picture itself is turned. */
    {AT (video_direction), g_param_spec_enum ("video-direction",
              "Video direction",
              "How pictures are turned to be analysed upright, as videoflip would"
              " turn them; what passes through is not turned (auto: as the tag"
              " image-orientation says; custom is not possible)",
              GST_TYPE_VIDEO_ORIENTATION_METHOD, GST_VIDEO_ORIENTATION_AUTO,
              live)},
    {AT (interval), g_param_spec_uint ("interval", "Interval",
              "Frames skipped between two that are analysed; they carry the"
              " last features, marked so", 0, G_MAXUINT, 0, live)},
    {AT (warm_up), g_param_spec_uint ("warm-up", "Warm-up",
              "Extra passes of the recurrent core over the first frame after a"
              " reset (0 = as published)", 0, MAX_WARM_UP, 0, live)},
    {AT (output), g_param_spec_flags ("output", "Output",
              "Which tokens are attached", GST_RVM_TYPE_FEATURE_PARTS,
              GST_RVM_FEATURE_CLASS | GST_RVM_FEATURE_PATCHES, live)},
    {AT (reset_on), g_param_spec_flags ("reset-on", "Reset on",
              "What makes the recurrent state start anew, besides a change of"
              " the analysis size (caps: not of the frame rate alone)", gst_rvm_reset_on_get_type (),
              GST_RVM_RESET_FLUSH | GST_RVM_RESET_SEGMENT | GST_RVM_RESET_CAPS
              | GST_RVM_RESET_STREAM_START, live)},
    {AT (gap_threshold), g_param_spec_uint64 ("gap-threshold",
              "Gap threshold",
              "Time without pictures, as GAP events or timestamps tell, that is"
              " a gap for reset-on, nanoseconds", 1, G_MAXINT64, GST_SECOND,
              live)},
    {AT (scene_threshold), g_param_spec_double ("scene-threshold",
              "Scene threshold",
              "Similarity of two frames' features, less their means, below which"
              " they are of different scenes for reset-on", -1, 1, 0.7, live)},
    {AT (messages), g_param_spec_flags ("messages", "Messages",
              "Which element messages are posted", gst_rvm_messages_get_type (),
              0, live)},
    {AT (health_interval), g_param_spec_uint ("health-interval",
              "Health interval",
              "Analysed frames from one rvm-health message to the next", 1,
              G_MAXUINT, 25, live)},
    {AT (state_file), g_param_spec_string ("state-file", "State file",
              "State that the first frame goes on from, as save-state wrote it:"
              " of the same model, precision and analysis size", NULL, ready)},
    {AT (snapshot_interval), g_param_spec_uint64 ("snapshot-interval",
              "Snapshot interval",
              "Least time between two snapshots of the state, nanoseconds", 0,
              G_MAXINT64, GST_SECOND, live)},
    {AT (snapshot_count), g_param_spec_uint ("snapshot-count",
              "Snapshot count",
              "Snapshots of the state kept, by presentation time: a seek that"
              " resets the state goes on from the nearest earlier one (0: none)",
              0, MAX_SNAPSHOTS, 0, live)},
    {AT (cache_dir), g_param_spec_string ("cache-dir", "Cache directory",
              RVM_CACHE_DIR_BLURB, NULL, ready)},
    {AT (qos), g_param_spec_boolean ("qos", "QoS",
              "Do not analyse frames that are late downstream, but for one a"
              " second; they carry the last features", FALSE, live)},
  };
#undef AT

  rvm_settings_install (klass, first_id, properties, G_N_ELEMENTS (properties));
}

void
gst_rvm_encode_settings_clear (GstRvmEncodeSettings * settings)
{
  g_clear_pointer (&settings->model_file, g_free);
  g_clear_pointer (&settings->device, g_free);
  g_clear_pointer (&settings->cache_dir, g_free);
  g_clear_pointer (&settings->state_file, g_free);
}
