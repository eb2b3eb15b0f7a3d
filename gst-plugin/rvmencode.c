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
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! rvmencode model-file=model.safetensors size=256 ! rvmexport location=features.jsonl features-location=features.npy ! fakesink
 * ]|
 */

/* Who owns what: the session (encode_session.h) belongs to the streaming thread.
 * Properties and counters are under the object lock, which is never held while
 * pushing, posting or running the model. */
#include "rvmencode.h"

#include <gst/video/video.h>

#include "encode_session.h"
#include "meta/gstrvmmeta.h"
#include "rvmencode_settings.h"
#include "rvmencode_types.h"

GST_DEBUG_CATEGORY_STATIC (rvm_encode_debug);
#define GST_CAT_DEFAULT rvm_encode_debug

/* What `stats` shows. */
typedef struct
{
  guint64 frames, skipped, carried, resets, updates;
  guint64 total_us, max_us;
  RvmStreamHealth health;
} Counters;

struct _GstRvmEncode
{
  GstBaseTransform parent;

  /* object lock */
  GstRvmEncodeSettings settings;
  Counters counters;
  gchar *device_name;
  gboolean reset_pending;
  GstClockTime earliest;        /* running time before which frames are late */

  /* streaming thread */
  RvmEncodeSession *session;
  GstVideoInfo info;
  gboolean have_info;
  guint until_update;           /* frames still to skip */
};

enum
{
  PROP_0,
  PROP_DEVICE_NAME,
  PROP_STATS,
  PROP_FIRST_SETTING,
};

static guint reset_state_signal;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)));

G_DEFINE_TYPE (GstRvmEncode, gst_rvm_encode, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmencode, "rvmencode", GST_RANK_NONE,
    GST_TYPE_RVM_ENCODE)

/* The element error that fits a library error; the message is the library's. */
static void
post_error (GstRvmEncode * self, const GError * error, const gchar * when)
{
  GQuark domain = error->domain;
  gint code = error->code;

  if (domain == RVM_ERROR) {
    static const struct
    {
      gboolean is_resource;     /* else of the library */
      gint code;
    } codes[] = {
      [RVM_ERROR_DEVICE] = {TRUE, GST_RESOURCE_ERROR_NOT_FOUND},
      [RVM_ERROR_BUILD] = {FALSE, GST_LIBRARY_ERROR_INIT},
      [RVM_ERROR_LAUNCH] = {FALSE, GST_LIBRARY_ERROR_FAILED},
      [RVM_ERROR_MEMORY] = {TRUE, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
      [RVM_ERROR_FILE] = {TRUE, GST_RESOURCE_ERROR_OPEN_READ},
      [RVM_ERROR_FORMAT] = {TRUE, GST_RESOURCE_ERROR_READ},
      [RVM_ERROR_MODEL] = {FALSE, GST_LIBRARY_ERROR_FAILED},
      [RVM_ERROR_ARGUMENT] = {FALSE, GST_LIBRARY_ERROR_SETTINGS},
    };

    g_return_if_fail ((guint) code < G_N_ELEMENTS (codes));
    domain = codes[code].is_resource ? GST_RESOURCE_ERROR : GST_LIBRARY_ERROR;
    code = codes[code].code;
  }
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_ERROR, domain,
      code, g_strdup (error->message), g_strdup (when), __FILE__, G_STRFUNC,
      __LINE__);
}

static void
request_reset (GstRvmEncode * self, const gchar * why)
{
  GST_DEBUG_OBJECT (self, "state starts anew: %s", why);
  GST_OBJECT_LOCK (self);
  self->reset_pending = TRUE;
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_encode_reset_state (GstRvmEncode * self)
{
  request_reset (self, "signal");
}

static void
maybe_reset (GstRvmEncode * self, guint flag, const gchar * why)
{
  guint reset_on;

  GST_OBJECT_LOCK (self);
  reset_on = self->settings.reset_on;
  GST_OBJECT_UNLOCK (self);
  if (reset_on & flag)
    request_reset (self, why);
}

static gboolean
gst_rvm_encode_start (GstBaseTransform * base)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  g_autofree gchar *file = NULL, *device = NULL, *cache_dir = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  RvmModelOptions options = { 0 };

  GST_OBJECT_LOCK (self);
  file = g_strdup (self->settings.model_file);
  options.device = device = g_strdup (self->settings.device);
  options.cache_dir = cache_dir = g_strdup (self->settings.cache_dir);
  options.gemm = self->settings.gemm;
  options.precision = self->settings.precision;
  self->counters = (Counters) { 0 };
  self->reset_pending = FALSE;
  self->earliest = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);

  if (file == NULL || *file == '\0') {
    const gchar *chosen = g_getenv ("RVM_DEFAULT_MODEL");

    g_free (file);
    file = g_strdup (chosen ? chosen : RVM_DEFAULT_MODEL);
    if (!g_file_test (file, G_FILE_TEST_EXISTS)) {
      GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
          ("model-file is not set, and there is no default model at %s: name a"
              " weight file, or make one with 'rvm-cl-train'", file), (NULL));
      return FALSE;
    }
  }
  model = rvm_model_load (file, &options, &error);
  if (model == NULL) {
    post_error (self, error, "while loading the model");
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  g_free (self->device_name);
  self->device_name =
      g_strdup (rvm_device_get_name (rvm_model_get_device (model)));
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "model %s on %s", rvm_model_get_id (model),
      rvm_device_get_name (rvm_model_get_device (model)));
  self->session = rvm_encode_session_new (model);
  self->have_info = FALSE;
  self->until_update = 0;
  return TRUE;
}

static gboolean
gst_rvm_encode_stop (GstBaseTransform * base)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);

  g_clear_pointer (&self->session, rvm_encode_session_free);
  self->have_info = FALSE;
  return TRUE;
}

/* Adopts what the properties say now; the error is posted. */
static gboolean
configure (GstRvmEncode * self, RvmEncodeRequest * request)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  request->size = self->settings.size;
  request->width = self->settings.width;
  request->height = self->settings.height;
  request->parts = self->settings.output;
  request->warm_up = self->settings.warm_up;
  GST_OBJECT_UNLOCK (self);
  if (rvm_encode_session_configure (self->session, &self->info, request,
          &error))
    return TRUE;
  post_error (self, error, "while preparing the analysis");
  return FALSE;
}

static gboolean
gst_rvm_encode_set_caps (GstBaseTransform * base, GstCaps * in, GstCaps * out)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  RvmEncodeRequest request;
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, in)) {
    GST_ERROR_OBJECT (self, "caps %" GST_PTR_FORMAT " are no raw video",
        (gpointer) in);
    return FALSE;
  }
  if (self->have_info && !gst_video_info_is_equal (&self->info, &info))
    maybe_reset (self, GST_RVM_RESET_CAPS, "caps");
  self->info = info;
  self->have_info = TRUE;
  return configure (self, &request);
}

static gboolean
gst_rvm_encode_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_STOP:
      maybe_reset (self, GST_RVM_RESET_FLUSH, "flush");
      break;
    case GST_EVENT_SEGMENT:
      maybe_reset (self, GST_RVM_RESET_SEGMENT, "segment");
      break;
    case GST_EVENT_STREAM_START:
      maybe_reset (self, GST_RVM_RESET_STREAM_START, "stream-start");
      break;
    default:
      break;
  }
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_encode_parent_class)->sink_event
      (base, event);
}

static gboolean
gst_rvm_encode_propose_allocation (GstBaseTransform * base, GstQuery * decide,
    GstQuery * query)
{
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_encode_parent_class)
      ->propose_allocation (base, decide, query);
}

/* The buffer itself if metadata can be added to it, else a new one that shares
 * its memory: the base class would copy the picture. */
static GstFlowReturn
gst_rvm_encode_prepare_output_buffer (GstBaseTransform * base, GstBuffer * in,
    GstBuffer ** out)
{
  *out = gst_buffer_is_writable (in) ? in : gst_buffer_copy (in);
  return GST_FLOW_OK;
}

/* What downstream says of its lateness; the base class would drop the buffer,
 * which carries a picture that somebody wants to see. */
static gboolean
gst_rvm_encode_src_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    GstClockTimeDiff diff;
    GstClockTime time;

    gst_event_parse_qos (event, NULL, NULL, &diff, &time);
    GST_OBJECT_LOCK (self);
    self->earliest = !GST_CLOCK_TIME_IS_VALID (time) ? GST_CLOCK_TIME_NONE
        : diff > 0 ? time + 2 * diff : (GstClockTime) MAX (0,
        (GstClockTimeDiff) time + diff);
    GST_OBJECT_UNLOCK (self);
  }
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_encode_parent_class)->src_event
      (base, event);
}

/* A frame that downstream would not show any more. */
static gboolean
is_late (GstRvmEncode * self, GstBuffer * buffer)
{
  const GstSegment *segment = &GST_BASE_TRANSFORM (self)->segment;
  GstClockTime time, earliest;
  gboolean qos;

  GST_OBJECT_LOCK (self);
  qos = self->settings.qos;
  earliest = self->earliest;
  GST_OBJECT_UNLOCK (self);
  if (!qos || !GST_BUFFER_PTS_IS_VALID (buffer)
      || !GST_CLOCK_TIME_IS_VALID (earliest))
    return FALSE;
  time = gst_segment_to_running_time (segment, GST_FORMAT_TIME,
      GST_BUFFER_PTS (buffer));
  return GST_CLOCK_TIME_IS_VALID (time) && time < earliest;
}

static void
apply_reset (GstRvmEncode * self)
{
  gboolean pending;

  GST_OBJECT_LOCK (self);
  pending = self->reset_pending;
  self->reset_pending = FALSE;
  GST_OBJECT_UNLOCK (self);
  if (pending)
    rvm_encode_session_reset (self->session);
}

/* Runs the model on the frame; the error is posted. */
static gboolean
analyse (GstRvmEncode * self, GstBuffer * buffer,
    const RvmEncodeRequest * request)
{
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  RvmStreamHealth health;
  guint64 microseconds;

  if (!rvm_encode_session_analyse (self->session, buffer, request, &health,
          &error)) {
    post_error (self, error, "while running the model");
    return FALSE;
  }
  microseconds = g_get_monotonic_time () - start;
  GST_OBJECT_LOCK (self);
  self->counters.updates++;
  self->counters.total_us += microseconds;
  self->counters.max_us = MAX (self->counters.max_us, microseconds);
  self->counters.health = health;
  self->counters.resets =
      rvm_encode_session_get_generation (self->session) - 1;
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static GstFlowReturn
gst_rvm_encode_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  RvmEncodeRequest request;
  gboolean skip;

  if (!self->have_info)
    return GST_FLOW_NOT_NEGOTIATED;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT))
    maybe_reset (self, GST_RVM_RESET_DISCONT, "discont");
  /* size, width and height may have changed. */
  if (!configure (self, &request))
    return GST_FLOW_ERROR;
  apply_reset (self);

  skip = rvm_encode_session_has_features (self->session)
      && (self->until_update > 0 || is_late (self, buffer));
  if (!skip && !analyse (self, buffer, &request))
    return GST_FLOW_ERROR;

  GST_OBJECT_LOCK (self);
  if (!skip)
    self->until_update = self->settings.interval;
  else if (self->until_update > 0)
    self->until_update--;
  self->counters.frames++;
  self->counters.skipped += skip;
  self->counters.carried += skip && request.parts != 0;
  GST_OBJECT_UNLOCK (self);
  rvm_encode_session_attach (self->session, buffer, skip);
  return GST_FLOW_OK;
}

/* Live streams: the time of a frame is latency. */
static gboolean
gst_rvm_encode_query (GstBaseTransform * base, GstPadDirection direction,
    GstQuery * query)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  GstClockTime min, max, own;
  gboolean live;

  if (!GST_BASE_TRANSFORM_CLASS (gst_rvm_encode_parent_class)->query (base,
          direction, query))
    return FALSE;
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY || direction != GST_PAD_SRC)
    return TRUE;
  GST_OBJECT_LOCK (self);
  own = self->counters.updates ? self->counters.total_us * GST_USECOND
      / self->counters.updates : 0;
  GST_OBJECT_UNLOCK (self);
  gst_query_parse_latency (query, &live, &min, &max);
  gst_query_set_latency (query, live, min + own,
      GST_CLOCK_TIME_IS_VALID (max) ? max + own : max);
  return TRUE;
}

static GstStructure *
get_stats (GstRvmEncode * self)
{
  const Counters *c = &self->counters;

  return gst_structure_new ("rvmencode-stats",
      "frames", G_TYPE_UINT64, c->frames, "skipped", G_TYPE_UINT64, c->skipped,
      "carried", G_TYPE_UINT64, c->carried, "resets", G_TYPE_UINT64, c->resets,
      "mean-us", G_TYPE_DOUBLE,
      c->updates ? (gdouble) c->total_us / c->updates : 0.0,
      "max-us", G_TYPE_UINT64, c->max_us,
      "state-norm", G_TYPE_DOUBLE, (gdouble) c->health.state_norm,
      "mean-update-gate", G_TYPE_DOUBLE, (gdouble) c->health.update_mean, NULL);
}

static void
gst_rvm_encode_set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);
  gboolean known;

  GST_OBJECT_LOCK (self);
  known = gst_rvm_encode_settings_set (&self->settings, value, pspec);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_rvm_encode_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * pspec)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);
  gboolean known = TRUE;

  GST_OBJECT_LOCK (self);
  if (id == PROP_DEVICE_NAME)
    g_value_set_string (value, self->device_name);
  else if (id == PROP_STATS)
    g_value_take_boxed (value, get_stats (self));
  else
    known = gst_rvm_encode_settings_get (&self->settings, value, pspec);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_rvm_encode_finalize (GObject * object)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);

  gst_rvm_encode_settings_clear (&self->settings);
  g_free (self->device_name);
  G_OBJECT_CLASS (gst_rvm_encode_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass * object)
{
  const GParamFlags shown = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  g_object_class_install_property (object, PROP_DEVICE_NAME,
      g_param_spec_string ("device-name", "Device name",
          "OpenCL device in use", NULL, shown));
  g_object_class_install_property (object, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "frames, skipped, carried, resets, mean-us, max-us, state-norm,"
          " mean-update-gate", GST_TYPE_STRUCTURE, shown));
  gst_rvm_encode_settings_install (object, PROP_FIRST_SETTING);
}

static void
gst_rvm_encode_class_init (GstRvmEncodeClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_encode_debug, "rvmencode", 0,
      "Recurrent video features");
  object->set_property = gst_rvm_encode_set_property;
  object->get_property = gst_rvm_encode_get_property;
  object->finalize = gst_rvm_encode_finalize;
  install_properties (object);

  /**
   * GstRvmEncode::reset-state:
   *
   * The recurrent state starts anew with the next frame.
   */
  reset_state_signal =
      g_signal_new_class_handler ("reset-state", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_rvm_encode_reset_state), NULL, NULL, NULL, G_TYPE_NONE,
      0);

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
  gst_type_mark_as_plugin_api (GST_RVM_TYPE_FEATURE_PARTS, 0);
}

static void
gst_rvm_encode_init (GstRvmEncode * self)
{
  self->earliest = GST_CLOCK_TIME_NONE;
  gst_base_transform_set_in_place (GST_BASE_TRANSFORM (self), TRUE);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), FALSE);
}
