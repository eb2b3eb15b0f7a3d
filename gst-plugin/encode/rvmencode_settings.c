/* One table says everything about the properties: see settings.h. */
#include "rvmencode_settings.h"

#include <gst/video/video.h>

#include "kernels/ops/linear.h"
#include "device_notice.h"
#include "meta/gstrvmmeta.h"
#include "precision.h"
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
              "Weights, .npz or .safetensors (unset = the file named by the environment"
              " variable RVM_DEFAULT_MODEL, or else the bundled model). A file set while"
              " playing is loaded in the background and used from a later frame on; a"
              " file that cannot be used causes a warning", NULL, live)},
    {AT (on_model_change), g_param_spec_enum ("on-model-change",
              "On model change",
              "What happens to the state when other weights come into use",
              gst_rvm_model_change_get_type (),
              GST_RVM_MODEL_CHANGE_RESET_STATE, live)},
    {AT (watch_model), g_param_spec_boolean ("watch-model", "Watch model",
              "Reload the model file whenever it is replaced, as a trainer does", FALSE, live)},
    {AT (device), g_param_spec_string ("device", "Device",
              "OpenCL device: its index, or part of its name or of its platform's"
              " name (unset = the first GPU, or else the CPU)", NULL, ready)},
    {AT (device_name), g_param_spec_string ("device-name", "Device name",
              "OpenCL device in use", NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)},
    {AT (gemm), g_param_spec_enum ("gemm", "GEMM",
              "Matrix multiplication backend", gst_rvm_gemm_get_type (),
              RVM_GEMM_AUTO, ready)},
    {AT (precision), g_param_spec_enum ("precision", "Precision",
              "Number format of the weights; sums are always 32 bits",
              gst_rvm_precision_get_type (), RVM_ELEMENT_F32, ready)},
    {AT (size), g_param_spec_uint ("size", "Size",
              "Shorter side of the analysed picture in square pixels, rounded to a"
              " whole number of patches, at least one; stats shows the result (0 = that of the video)", 0, MAX_SIDE, 0, live)},
    {AT (width), g_param_spec_uint ("width", "Width",
              "Width of the analysed picture in pixels, rounded like size"
              " (0 = from height or size)", 0, MAX_SIDE, 0, live)},
    {AT (height), g_param_spec_uint ("height", "Height",
              "Height of the analysed picture in pixels, rounded like size"
              " (0 = from width or size)", 0, MAX_SIDE, 0, live)},
    /* Named as in GstVideoDirection. The element does not implement that interface, which promises that the picture itself is turned. */
    {AT (video_direction), g_param_spec_enum ("video-direction",
              "Video direction",
              "Rotation or flip that makes the picture upright for the analysis, as in"
              " videoflip; the picture that passes through is not changed (auto = from"
              " the tag image-orientation; custom is not supported)",
              GST_TYPE_VIDEO_ORIENTATION_METHOD, GST_VIDEO_ORIENTATION_AUTO,
              live)},
    {AT (interval), g_param_spec_uint ("interval", "Interval",
              "Number of frames skipped between analysed frames; skipped frames carry"
              " the last features, marked as carried", 0, G_MAXUINT, 0, live)},
    {AT (reuse), g_param_spec_enum ("reuse", "Reuse",
              "Which frames are not computed and carry the last features, marked as"
              " carried", gst_rvm_reuse_get_type (), GST_RVM_REUSE_NONE, live)},
    {AT (reuse_threshold), g_param_spec_double ("reuse-threshold", "Reuse threshold",
              "With reuse=still, largest change since the last computed frame of the"
              " mean of a block of 4 x 4 analysed pixels, in levels of 0 to 255", 0, 255,
              2, live)},
    {AT (reuse_longest), g_param_spec_uint ("reuse-longest", "Longest reuse",
              "With reuse=still, largest number of still frames in a row that are not"
              " computed", 1, G_MAXUINT, 25, live)},
    {AT (warm_up), g_param_spec_uint ("warm-up", "Warm-up",
              "Extra passes of the recurrent core over the first frame after a"
              " reset (0 = as published)", 0, MAX_WARM_UP, 0, live)},
    {AT (output), g_param_spec_flags ("output", "Output",
              "Tokens to attach", GST_TYPE_RVM_FEATURE_PARTS,
              GST_RVM_FEATURE_CLASS | GST_RVM_FEATURE_PATCHES, live)},
    {AT (reset_on), g_param_spec_flags ("reset-on", "Reset on",
              "Events that reset the recurrent state, besides a change of the"
              " analysis size (caps does not include a change of the frame rate alone)", gst_rvm_reset_on_get_type (),
              GST_RVM_RESET_FLUSH | GST_RVM_RESET_SEGMENT | GST_RVM_RESET_CAPS
              | GST_RVM_RESET_STREAM_START, live)},
    {AT (gap_threshold), g_param_spec_uint64 ("gap-threshold",
              "Gap threshold",
              "Least time without pictures, according to GAP events or timestamps,"
              " that counts as a gap for reset-on, in nanoseconds", 1, G_MAXINT64, GST_SECOND,
              live)},
    {AT (scene_threshold), g_param_spec_double ("scene-threshold",
              "Scene threshold",
              "Similarity of two frames' mean-free features below which reset-on"
              " treats them as different scenes", -1, 1, 0.63, live)},
    {AT (messages), g_param_spec_flags ("messages", "Messages",
              "Element messages to post", gst_rvm_messages_get_type (),
              0, live)},
    {AT (health_interval), g_param_spec_uint ("health-interval",
              "Health interval",
              "Number of analysed frames between rvm-health messages", 1,
              G_MAXUINT, 25, live)},
    {AT (state_file), g_param_spec_string ("state-file", "State file",
              "Initial state, written by save-state with the same model, precision"
              " and analysis size", NULL, ready)},
    {AT (snapshot_interval), g_param_spec_uint64 ("snapshot-interval",
              "Snapshot interval",
              "Minimum time between snapshots of the state, in nanoseconds", 0,
              G_MAXINT64, GST_SECOND, live)},
    {AT (snapshot_count), g_param_spec_uint ("snapshot-count",
              "Snapshot count",
              "Maximum number of snapshots of the state to keep; a seek that resets the"
              " state continues from the nearest earlier snapshot (0 = none)",
              0, MAX_SNAPSHOTS, 0, live)},
    {AT (cache_dir), g_param_spec_string ("cache-dir", "Cache directory",
              RVM_CACHE_DIR_BLURB, NULL, ready)},
    {AT (qos), g_param_spec_boolean ("qos", "QoS",
              "Do not analyse frames that are late downstream, except one a second;"
              " they carry the last features", FALSE, live)},
  };
#undef AT

  rvm_settings_install (klass, first_id, properties, G_N_ELEMENTS (properties));
}
