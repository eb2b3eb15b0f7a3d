/**
 * SECTION:element-rvmencode
 * @title: rvmencode
 * @short_description: features of a video with a recurrent memory
 *
 * Runs Recurrent Video Masked Autoencoders (arXiv 2512.13684) on each frame.
 * The recurrent state is carried from frame to frame; the new state is the
 * frame's features, attached to the buffer as #GstRvmFeatureMeta. The picture
 * passes through untouched and is not copied.
 *
 * ## The picture as it is meant to be seen
 * What is analysed is the picture as a player shows it: turned as the tag
 * image-orientation says (a telephone's video; video-direction says otherwise),
 * with square pixels whatever the caps' pixel-aspect-ratio, and without the margins
 * of a GstVideoCropMeta. The features are those that videoflip
 * video-direction=auto before the element would give, and the metadata's frame size
 * and places are those of the upright picture; but the picture that passes through
 * is not turned. A tag that changes during the stream takes effect at its place in the
 * stream; the state continues unless the analysis size changes. Elements downstream that
 * draw on the picture find it as it was: use videoflip video-direction=auto before
 * rvmencode if the picture will be encoded, or shown by a sink that does not turn it.
 *
 * Both fields of an interlaced frame are analysed as the one picture that they
 * are; interlace-mode=fields is refused. A stereoscopic frame is analysed as it is
 * packed.
 *
 * ## State
 * `reset-on` says which events reset the state. The action signal
 * #GstRvmEncode::reset-state and the events of gst_rvm_event_new_reset_state() reset it
 * on a given frame. The action signals #GstRvmEncode::save-state and
 * #GstRvmEncode::load-state write and read it, and `state-file` is the initial state.
 * With `snapshot-count`, the element keeps states from earlier in the stream, and a
 * seek continues from the nearest earlier one. Elements that use the same weights on
 * the same device share them. Each element has its own state, and their frames take
 * turns on the device.
 *
 * ## Where features come from
 * The metadata names the element (encoder) and the stream of its STREAM_START event
 * (stream-id). The source is a random number, new for each start of the element and for
 * each stream; the update counts the analysed frames of the source. Buffers with equal
 * source and update have equal features, in any process, which is how a consumer
 * recognises frames that are carried or repeated. The first frame of a stream is always
 * analysed. A buffer that passes several rvmencode gets the metadata of each.
 *
 * ## Still frames
 * With `reuse=still`, a still frame is not computed but carries the features of the last
 * computed one, with its update; the state stays as it is. In a still frame, no block of
 * 4 x 4 analysed pixels has a mean that changed by more than `reuse-threshold` since then.
 * After `reuse-longest` still frames in a row, a frame is computed anyway, and so are the
 * first four after a reset, in which the state settles.
 *
 * ## Other weights
 * Setting `model-file` while playing, or replacing the file with `watch-model` on, loads
 * it in the background. The new weights are used from a later frame on, with a reset
 * state, or with the old one if `on-model-change=keep-state` and its size fits.
 *
 * ## Messages
 * The property `messages` selects them: "rvm-reset" (reason, generation, pts,
 * restored, restored-pts, restored-age), "rvm-health" (pts, frames-since-reset,
 * finite, state-norm, mean-update-gate, mean-reset-gate), "rvm-model" (model-id,
 * model-file, state-kept). Frames that were not analysed because they were late are reported as QoS messages.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! rvmencode model-file=model.safetensors size=256 ! rvmexport location=features.jsonl features-location=features.npy ! fakesink
 * ]|
 */

#include "rvmencode_private.h"

#include <math.h>

#include "allocation.h"
#include "meta/gstrvmmeta.h"
#include "precision.h"
#include "video/orientation.h"

GST_DEBUG_CATEGORY (rvm_encode_debug);
GstBaseTransformClass *gst_rvm_encode_base;
#define GST_CAT_DEFAULT rvm_encode_debug

enum
{
  PROP_0,
  PROP_STATS,
  PROP_FIRST_SETTING,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)));

G_DEFINE_TYPE (GstRvmEncode, gst_rvm_encode, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmencode, "rvmencode", GST_RANK_NONE,
    GST_TYPE_RVM_ENCODE)

static gboolean
gst_rvm_encode_start (GstBaseTransform * base)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (self));
  g_autoptr (RvmModel) model = NULL;

  GST_OBJECT_LOCK (self);
  self->counters = (RvmEncodeCounters) { .similarity = NAN };
  self->earliest = self->late_since = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
  gst_rvm_encode_forget_requests (self);
  model = gst_rvm_encode_load_model (self);
  if (model == NULL || !gst_rvm_encode_prepare_warm_start (self, model))
    return FALSE;
  GST_INFO_OBJECT (self, "model %s on %s", rvm_model_get_id (model),
      rvm_device_get_name (rvm_model_get_device (model)));
  self->session = rvm_encode_session_new (model, name);
  self->snapshots = rvm_snapshots_new ();
  self->have_info = FALSE;
  self->until_update = self->until_health = 0;
  self->reasons = 0;
  self->frame_end = GST_CLOCK_TIME_NONE;
  self->gaps = 0;
  GST_OBJECT_LOCK (self);
  g_free (self->settings.device_name);
  self->settings.device_name =
      g_strdup (rvm_device_get_name (rvm_model_get_device (model)));
  self->model = rvm_model_ref (model);
  self->width = self->height = 0;
  if (self->settings.watch_model || self->model_wanted != self->model_done)
    gst_rvm_encode_wake_loader (self);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static gboolean
gst_rvm_encode_stop (GstBaseTransform * base)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);

  gst_rvm_encode_stop_loader (self);
  gst_rvm_encode_forget_requests (self);
  g_clear_pointer (&self->session, rvm_encode_session_free);
  g_clear_pointer (&self->snapshots, rvm_snapshots_free);
  g_clear_pointer (&self->stream_id, g_free);
  rvm_orientation_tags_clear (&self->tags);
  self->have_info = FALSE;
  return TRUE;
}

/* How the picture of @buffer is seen by the analysis. */
static gboolean
see (GstRvmEncode * self, GstBuffer * buffer, GstVideoOrientationMethod
    direction, RvmView * view, GError ** error)
{
  if (direction == GST_VIDEO_ORIENTATION_AUTO)
    direction = rvm_orientation_tags_get (&self->tags);
  if (rvm_orientation_is_valid (direction))
    return rvm_view_init (view, &self->info, buffer, direction, error);
  g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
      "video-direction=custom is not possible: expected auto or one of the eight"
      " orientations");
  return FALSE;
}

/* Applies the present properties and tags; an error is posted. */
static gboolean
configure (GstRvmEncode * self, GstBuffer * buffer, RvmEncodeRequest * request)
{
  GstVideoOrientationMethod direction;
  g_autoptr (GError) error = NULL;
  RvmView view;

  GST_OBJECT_LOCK (self);
  direction = self->settings.video_direction;
  request->size = self->settings.size;
  request->width = self->settings.width;
  request->height = self->settings.height;
  request->parts = self->settings.output;
  request->warm_up = self->settings.warm_up;
  request->watch_scene = self->settings.reset_on & GST_RVM_RESET_SCENE;
  request->scene_threshold = self->settings.scene_threshold;
  request->reuse_still = self->settings.reuse == GST_RVM_REUSE_STILL;
  request->reuse_threshold = self->settings.reuse_threshold;
  request->reuse_longest = self->settings.reuse_longest;
  GST_OBJECT_UNLOCK (self);
  if (see (self, buffer, direction, &view, &error)
      && rvm_encode_session_configure (self->session, &view, request, &error))
    return TRUE;
  gst_rvm_encode_post (self, GST_MESSAGE_ERROR, error, "while preparing the analysis");
  return FALSE;
}

/* Whether both describe the same picture. How many there are a second does not
 * matter, nor how their bytes lie in memory. */
static gboolean
is_same_picture (const GstVideoInfo * a, const GstVideoInfo * b)
{
  return GST_VIDEO_INFO_FORMAT (a) == GST_VIDEO_INFO_FORMAT (b)
      && GST_VIDEO_INFO_WIDTH (a) == GST_VIDEO_INFO_WIDTH (b)
      && GST_VIDEO_INFO_HEIGHT (a) == GST_VIDEO_INFO_HEIGHT (b)
      && GST_VIDEO_INFO_PAR_N (a) == GST_VIDEO_INFO_PAR_N (b)
      && GST_VIDEO_INFO_PAR_D (a) == GST_VIDEO_INFO_PAR_D (b)
      && GST_VIDEO_INFO_INTERLACE_MODE (a) == GST_VIDEO_INFO_INTERLACE_MODE (b)
      && GST_VIDEO_INFO_FIELD_ORDER (a) == GST_VIDEO_INFO_FIELD_ORDER (b)
      && GST_VIDEO_INFO_CHROMA_SITE (a) == GST_VIDEO_INFO_CHROMA_SITE (b)
      && gst_video_colorimetry_is_equal (&GST_VIDEO_INFO_COLORIMETRY (a),
      &GST_VIDEO_INFO_COLORIMETRY (b))
      && GST_VIDEO_INFO_VIEWS (a) == GST_VIDEO_INFO_VIEWS (b)
      && GST_VIDEO_INFO_MULTIVIEW_MODE (a) == GST_VIDEO_INFO_MULTIVIEW_MODE (b)
      && GST_VIDEO_INFO_MULTIVIEW_FLAGS (a) == GST_VIDEO_INFO_MULTIVIEW_FLAGS (b);
}

static gboolean
gst_rvm_encode_set_caps (GstBaseTransform * base, GstCaps * in, GstCaps * out)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, in)) {
    GST_ERROR_OBJECT (self, "caps %" GST_PTR_FORMAT " are no raw video",
        (gpointer) in);
    return FALSE;
  }
  if (self->have_info && !is_same_picture (&self->info, &info))
    gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_CAPS);
  /* The analysis is prepared when a frame arrives, so that an error about these caps is posted once, not for every caps that upstream tries. */
  self->info = info;
  self->have_info = TRUE;
  return TRUE;
}

/* Overlays must be blended before the analysis, so this element does not offer to pass them on. */
static gboolean
gst_rvm_encode_propose_allocation (GstBaseTransform * base, GstQuery * decide,
    GstQuery * query)
{
  rvm_allocation_propose (base, query, FALSE);
  return TRUE;
}

/* The buffer itself if metadata can be added to it, or else a new one that shares its memory. The base class would copy the picture. */
static GstFlowReturn
gst_rvm_encode_prepare_output_buffer (GstBaseTransform * base, GstBuffer * in,
    GstBuffer ** out)
{
  *out = gst_buffer_is_writable (in) ? in : gst_buffer_copy (in);
  return GST_FLOW_OK;
}

/* Runs the model on the frame unless it is @still; an error is posted. */
static gboolean
analyse (GstRvmEncode * self, GstBuffer * buffer, RvmEncodeRequest * request, gboolean * still)
{
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  RvmEncodeResult result;

  request->measure_gates = gst_rvm_encode_wants_health (self);
  if (!rvm_encode_session_analyse (self->session, buffer, request, &result,
          &error)) {
    if (g_error_matches (error, RVM_ERROR, RVM_ERROR_MODEL))
      gst_rvm_encode_post_not_finite (self, buffer);
    gst_rvm_encode_post (self, GST_MESSAGE_ERROR, error,
        "while running the model");
    return FALSE;
  }
  *still = result.still;
  if (result.still)
    return TRUE;
  if (gst_rvm_encode_count_update (self,
          rvm_encode_session_get_origin (self->session), &result,
          g_get_monotonic_time () - start))
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_latency (GST_OBJECT (self)));
  gst_rvm_encode_publish_state (self);
  gst_rvm_encode_post_messages (self, buffer, &result);
  return TRUE;
}

static GstFlowReturn
gst_rvm_encode_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  RvmEncodeRequest request;
  guint64 carried, dropped;
  gboolean skip, drop, still = FALSE;

  if (!self->have_info)
    return GST_FLOW_NOT_NEGOTIATED;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT))
    gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_DISCONT);
  gst_rvm_encode_note_times (self, buffer);
  gst_rvm_encode_adopt_model (self);
  /* size, width, height, direction and tags may have changed. */
  if (!configure (self, buffer, &request))
    return GST_FLOW_ERROR;
  if (!gst_rvm_encode_apply_requests (self, buffer))
    return GST_FLOW_ERROR;

  skip = rvm_encode_session_has_features (self->session);
  drop = skip && self->until_update == 0
      && gst_rvm_encode_is_late (self, buffer);
  skip = skip && (self->until_update > 0 || drop);
  if (!skip && !analyse (self, buffer, &request, &still))
    return GST_FLOW_ERROR;

  GST_OBJECT_LOCK (self);
  if (!skip)
    self->until_update = self->settings.interval;
  else if (self->until_update > 0)
    self->until_update--;
  skip |= still;
  self->counters.frames++;
  self->counters.skipped += skip;
  self->counters.still += still;
  carried = self->counters.carried += skip && request.parts != 0;
  dropped = self->counters.dropped += drop;
  GST_OBJECT_UNLOCK (self);
  if (drop)
    gst_rvm_encode_post_qos (self, buffer);
  rvm_encode_session_attach (self->session, buffer, skip, carried, dropped);
  return GST_FLOW_OK;
}

static void
gst_rvm_encode_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);
  const gboolean is_model_file = g_str_equal (pspec->name, "model-file");

  rvm_settings_set (object, &self->settings, id, value, pspec);
  if (g_str_equal (pspec->name, "cache-dir"))
    rvm_device_suggest_cache_dir (g_value_get_string (value));
  if (!is_model_file && !g_str_equal (pspec->name, "watch-model"))
    return;
  GST_OBJECT_LOCK (self);
  self->model_wanted += is_model_file;
  gst_rvm_encode_wake_loader (self);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_encode_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);

  if (id == PROP_STATS)
    g_value_take_boxed (value, gst_rvm_encode_get_stats (self));
  else
    rvm_settings_get (object, &self->settings, id, value, pspec);
}

static void
gst_rvm_encode_finalize (GObject * object)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);

  rvm_settings_clear (object, &self->settings);
  g_array_unref (self->resets_at);
  g_cond_clear (&self->loader_wake);
  g_free ((gchar *) self->options.device);
  g_free ((gchar *) self->options.cache_dir);
  G_OBJECT_CLASS (gst_rvm_encode_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass * object)
{
  const GParamFlags shown = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  g_object_class_install_property (object, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "frames, skipped, carried, dropped, still, resets, restores, mean-us, max-us, latency-us,"
          " state-norm, mean-update-gate, scene-similarity, state-hash, snapshots,"
          " snapshot-bytes, stream-bytes, analysis-width, analysis-height (pixels, 0"
          " before the first frame)", GST_TYPE_STRUCTURE, shown));
  gst_rvm_encode_settings_install (object, PROP_FIRST_SETTING);
}

static void
install_signals (GType type)
{
  const GSignalFlags action = G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION;

  /**
   * GstRvmEncode::reset-state:
   *
   * Resets the recurrent state with the next frame.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("reset-state", type, action,
      G_CALLBACK (gst_rvm_encode_reset_state), NULL, NULL, NULL, G_TYPE_NONE,
      0);
  /**
   * GstRvmEncode::save-state:
   * @path: a file name that ends in .safetensors
   *
   * Writes the state after the frame that was analysed last. The file is written
   * completely or not at all. The stream does not wait.
   *
   * Returns: whether the state was written; if not, a warning message has the reason.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("save-state", type, action,
      G_CALLBACK (gst_rvm_encode_save_state), NULL, NULL, NULL,
      G_TYPE_BOOLEAN, 1, G_TYPE_STRING);
  /**
   * GstRvmEncode::load-state:
   * @path: a file that save-state wrote
   *
   * The next frame continues from a saved state. The file must have been written with
   * the model, the precision and the analysis size in use.
   *
   * Returns: whether the file was read and belongs to the model in use. If not, or if
   * its size does not fit the next frame, a warning message has the reason and the state
   * stays as it was.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("load-state", type, action,
      G_CALLBACK (gst_rvm_encode_load_state), NULL, NULL, NULL,
      G_TYPE_BOOLEAN, 1, G_TYPE_STRING);
}

static void
gst_rvm_encode_class_init (GstRvmEncodeClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_encode_debug, "rvmencode", 0,
      "Recurrent video features");
  gst_rvm_encode_base = GST_BASE_TRANSFORM_CLASS (gst_rvm_encode_parent_class);
  object->set_property = gst_rvm_encode_set_property;
  object->get_property = gst_rvm_encode_get_property;
  object->finalize = gst_rvm_encode_finalize;
  install_properties (object);

  install_signals (G_TYPE_FROM_CLASS (klass));

  element->send_event = gst_rvm_encode_send_event;
  gst_element_class_set_static_metadata (element, "Recurrent video features",
      "Filter/Analyzer/Video",
      "Attaches the features of a Recurrent Video Masked Autoencoder to frames",
      "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);

  base->start = gst_rvm_encode_start;
  base->stop = gst_rvm_encode_stop;
  base->set_caps = gst_rvm_encode_set_caps;
  base->sink_event = gst_rvm_encode_sink_event;
  base->src_event = gst_rvm_encode_src_event;
  base->query = gst_rvm_encode_query;
  base->propose_allocation = gst_rvm_encode_propose_allocation;
  base->prepare_output_buffer = gst_rvm_encode_prepare_output_buffer;
  base->transform_ip = gst_rvm_encode_transform_ip;

  gst_type_mark_as_plugin_api (gst_rvm_gemm_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_rvm_precision_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_rvm_reset_on_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_rvm_messages_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_rvm_model_change_get_type (), 0);
  gst_type_mark_as_plugin_api (GST_TYPE_RVM_FEATURE_PARTS, 0);
}

static void
gst_rvm_encode_init (GstRvmEncode * self)
{
  self->earliest = self->late_since = GST_CLOCK_TIME_NONE;
  g_cond_init (&self->loader_wake);
  self->resets_at = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  gst_base_transform_set_in_place (GST_BASE_TRANSFORM (self), TRUE);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), FALSE);
}
