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

/* Who owns what: the model is shared in the process; stream, analysis picture
 * and the features sent last belong to the streaming thread. Properties and
 * counters are under the object lock, which is never held while pushing,
 * posting or running the model. */
#include "rvmencode.h"

#include <gst/video/video.h>

#include "analysis.h"
#include "meta/gstrvmmeta.h"
#include "model/stream.h"
#include "rvmencode_types.h"

GST_DEBUG_CATEGORY_STATIC (rvm_encode_debug);
#define GST_CAT_DEFAULT rvm_encode_debug

#define DEFAULT_OUTPUT (GST_RVM_FEATURE_CLASS | GST_RVM_FEATURE_PATCHES)
#define DEFAULT_RESET_ON (GST_RVM_RESET_FLUSH | GST_RVM_RESET_SEGMENT \
    | GST_RVM_RESET_CAPS | GST_RVM_RESET_STREAM_START)
#define MAX_SIDE 16384

typedef struct
{
  gchar *model_file, *device, *cache_dir;
  gint gemm, precision;
  guint size, width, height, interval, warm_up;
  guint output, reset_on;
  gboolean qos;
} Settings;

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
  Settings settings;
  Counters counters;
  gchar *device_name;
  gboolean reset_pending;
  GstClockTime earliest;        /* running time before which frames are late */

  /* streaming thread */
  RvmModel *model;
  RvmStream *stream;
  RvmAnalysis *analysis;
  GstVideoInfo info;
  gboolean have_info;
  guint stream_width, stream_height;
  guint until_update;           /* frames still to skip */
  guint64 generation, frames_since_reset;
  GBytes *features;             /* sent last, since the last reset */
  guint features_parts;
  GstClockTime update_pts;
};

enum
{
  PROP_0,
  PROP_MODEL_FILE,
  PROP_DEVICE,
  PROP_DEVICE_NAME,
  PROP_GEMM,
  PROP_PRECISION,
  PROP_SIZE,
  PROP_WIDTH,
  PROP_HEIGHT,
  PROP_INTERVAL,
  PROP_WARM_UP,
  PROP_OUTPUT,
  PROP_RESET_ON,
  PROP_CACHE_DIR,
  PROP_STATS,
  PROP_QOS,
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
  if (error->domain == RVM_ERROR && error->code == RVM_ERROR_FILE)
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ, ("%s", error->message),
        ("%s", when));
  else if (error->domain == RVM_ERROR && error->code == RVM_ERROR_DEVICE)
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND, ("%s", error->message),
        ("%s", when));
  else if (error->domain == RVM_ERROR && error->code == RVM_ERROR_MEMORY)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT, ("%s", error->message),
        ("%s", when));
  else if (error->domain == RVM_ERROR && error->code == RVM_ERROR_ARGUMENT)
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS, ("%s", error->message),
        ("%s", when));
  else
    GST_ELEMENT_ERROR (self, LIBRARY, FAILED, ("%s", error->message),
        ("%s", when));
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
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("model-file is not set, and there is no default model yet: name a"
            " weight file, or make one with 'rvm-cl-train init'"), (NULL));
    return FALSE;
  }
  self->model = rvm_model_load (file, &options, &error);
  if (self->model == NULL) {
    post_error (self, error, "while loading the model");
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  g_free (self->device_name);
  self->device_name =
      g_strdup (rvm_device_get_name (rvm_model_get_device (self->model)));
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "model %s on %s", rvm_model_get_id (self->model),
      rvm_device_get_name (rvm_model_get_device (self->model)));
  self->generation = 0;
  self->have_info = FALSE;
  return TRUE;
}

static gboolean
gst_rvm_encode_stop (GstBaseTransform * base)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);

  g_clear_pointer (&self->stream, rvm_stream_free);
  g_clear_pointer (&self->analysis, rvm_analysis_free);
  g_clear_pointer (&self->features, g_bytes_unref);
  g_clear_pointer (&self->model, rvm_model_unref);
  self->have_info = FALSE;
  return TRUE;
}

/* Makes stream and converter fit the caps and the size properties. The state
 * survives if the analysis size stays. */
static gboolean
configure (GstRvmEncode * self)
{
  const guint patch = rvm_model_get_config (self->model)->patch;
  g_autoptr (GError) error = NULL;
  guint size, want_width, want_height, width, height;

  GST_OBJECT_LOCK (self);
  size = self->settings.size;
  want_width = self->settings.width;
  want_height = self->settings.height;
  GST_OBJECT_UNLOCK (self);

  if (!rvm_analysis_choose_size (&self->info, patch, size, want_width,
          want_height, &width, &height)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("frames of %d x %d pixels are smaller than a patch of the model,"
            " %u x %u", GST_VIDEO_INFO_WIDTH (&self->info),
            GST_VIDEO_INFO_HEIGHT (&self->info), patch, patch), (NULL));
    return FALSE;
  }
  if (self->analysis == NULL || width != self->stream_width
      || height != self->stream_height
      || !gst_video_info_is_equal (&self->analysis->in, &self->info)) {
    g_clear_pointer (&self->analysis, rvm_analysis_free);
    self->analysis = rvm_analysis_new (&self->info, width, height);
    if (self->analysis == NULL) {
      GST_ELEMENT_ERROR (self, STREAM, FORMAT,
          ("frames of format %s cannot be converted to RGB",
              gst_video_format_to_string (GST_VIDEO_INFO_FORMAT
                  (&self->info))), (NULL));
      return FALSE;
    }
  }
  if (self->stream && width == self->stream_width
      && height == self->stream_height)
    return TRUE;

  g_clear_pointer (&self->stream, rvm_stream_free);
  self->stream = rvm_stream_new (self->model, width, height,
      RVM_STREAM_DEFAULT, &error);
  if (self->stream == NULL) {
    post_error (self, error, "while preparing the stream");
    return FALSE;
  }
  self->stream_width = width;
  self->stream_height = height;
  request_reset (self, "analysis size");
  return TRUE;
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
  if (self->have_info && !gst_video_info_is_equal (&self->info, &info))
    maybe_reset (self, GST_RVM_RESET_CAPS, "caps");
  self->info = info;
  self->have_info = TRUE;
  return configure (self);
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

/* A late frame is not analysed, unless none was since the reset. */
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
  if (!qos || self->features == NULL || !GST_BUFFER_PTS_IS_VALID (buffer)
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
  pending = self->reset_pending || self->generation == 0;
  self->reset_pending = FALSE;
  if (pending && self->generation > 0)
    self->counters.resets++;
  GST_OBJECT_UNLOCK (self);
  if (!pending)
    return;
  rvm_stream_reset (self->stream);
  g_clear_pointer (&self->features, g_bytes_unref);
  self->generation++;
  self->frames_since_reset = 0;
  self->until_update = 0;
}

static void
count_update (GstRvmEncode * self, gint64 microseconds,
    const RvmStreamHealth * health)
{
  GST_OBJECT_LOCK (self);
  self->counters.updates++;
  self->counters.total_us += microseconds;
  self->counters.max_us = MAX (self->counters.max_us, (guint64) microseconds);
  self->counters.health = *health;
  GST_OBJECT_UNLOCK (self);
}

/* Folds the frame into the state and keeps its features. */
static GstFlowReturn
analyse (GstRvmEncode * self, GstBuffer * buffer, guint parts, guint passes)
{
  const gsize dim = rvm_stream_get_dim (self->stream);
  const gsize tokens = rvm_stream_get_tokens (self->stream);
  const gsize token = dim * sizeof (gfloat);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) all = NULL;
  const gint64 start = g_get_monotonic_time ();
  RvmStreamHealth health;
  const guint8 *pixels;
  gfloat *values;
  gsize stride;

  pixels = rvm_analysis_convert (self->analysis, buffer, &stride);
  if (pixels == NULL) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED,
        ("a buffer does not hold a picture of the caps"), (NULL));
    return GST_FLOW_ERROR;
  }
  values = g_malloc (tokens * token);
  all = g_bytes_new_take (values, tokens * token);
  if (!rvm_stream_push (self->stream, pixels, stride, passes, values, &health,
          &error)) {
    g_autofree gchar *when = g_strdup_printf ("at the frame of time %"
        GST_TIME_FORMAT, GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));

    g_prefix_error (&error, "%s: ", when);
    post_error (self, error, when);
    return GST_FLOW_ERROR;
  }
  g_clear_pointer (&self->features, g_bytes_unref);
  if (parts == GST_RVM_FEATURE_CLASS)
    /* A copy of one row, so that the other rows are not kept in memory. */
    self->features = g_bytes_new (values, token);
  else if (parts == GST_RVM_FEATURE_PATCHES)
    self->features =
        g_bytes_new_from_bytes (all, token, (tokens - 1) * token);
  else if (parts)
    self->features = g_bytes_ref (all);
  self->features_parts = parts;
  self->frames_since_reset++;
  self->update_pts = GST_BUFFER_PTS (buffer);
  count_update (self, g_get_monotonic_time () - start, &health);
  return GST_FLOW_OK;
}

static void
attach (GstRvmEncode * self, GstBuffer * buffer, gboolean carried)
{
  GstRvmFeatureMeta *meta;

  meta = gst_rvm_buffer_add_feature_meta (buffer, self->features_parts,
      rvm_stream_get_rows (self->stream),
      rvm_stream_get_columns (self->stream),
      rvm_stream_get_dim (self->stream), self->features,
      rvm_model_get_id (self->model));
  g_return_if_fail (meta != NULL);
  meta->generation = self->generation;
  meta->frames_since_reset = self->frames_since_reset;
  meta->update_pts = self->update_pts;
  meta->carried = carried;
  meta->frame_width = GST_VIDEO_INFO_WIDTH (&self->info);
  meta->frame_height = GST_VIDEO_INFO_HEIGHT (&self->info);
  meta->analysis_width = self->stream_width;
  meta->analysis_height = self->stream_height;
}

static GstFlowReturn
gst_rvm_encode_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  guint interval, parts, warm_up;
  gboolean skip;
  GstFlowReturn flow;

  if (self->stream == NULL)
    return GST_FLOW_NOT_NEGOTIATED;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT)
      && self->generation > 0)
    maybe_reset (self, GST_RVM_RESET_DISCONT, "discont");
  /* size, width and height may have changed. */
  if (!configure (self))
    return GST_FLOW_ERROR;
  apply_reset (self);

  GST_OBJECT_LOCK (self);
  interval = self->settings.interval;
  parts = self->settings.output;
  warm_up = self->settings.warm_up;
  GST_OBJECT_UNLOCK (self);

  skip = self->until_update > 0 || is_late (self, buffer);
  if (!skip) {
    flow = analyse (self, buffer, parts,
        self->frames_since_reset == 0 ? 1 + warm_up : 1);
    if (flow != GST_FLOW_OK)
      return flow;
    self->until_update = interval;
  } else if (self->until_update > 0) {
    self->until_update--;
  }

  GST_OBJECT_LOCK (self);
  self->counters.frames++;
  self->counters.skipped += skip;
  self->counters.carried += skip && self->features != NULL;
  GST_OBJECT_UNLOCK (self);
  if (self->features)
    attach (self, buffer, skip);
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

/* The setting behind a property, NULL for computed ones. */
static gpointer
find_setting (GstRvmEncode * self, guint id)
{
  Settings *s = &self->settings;

  switch (id) {
    case PROP_MODEL_FILE:
      return &s->model_file;
    case PROP_DEVICE:
      return &s->device;
    case PROP_CACHE_DIR:
      return &s->cache_dir;
    case PROP_GEMM:
      return &s->gemm;
    case PROP_PRECISION:
      return &s->precision;
    case PROP_SIZE:
      return &s->size;
    case PROP_WIDTH:
      return &s->width;
    case PROP_HEIGHT:
      return &s->height;
    case PROP_INTERVAL:
      return &s->interval;
    case PROP_WARM_UP:
      return &s->warm_up;
    case PROP_OUTPUT:
      return &s->output;
    case PROP_RESET_ON:
      return &s->reset_on;
    case PROP_QOS:
      return &s->qos;
    default:
      return NULL;
  }
}

static void
gst_rvm_encode_set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);
  gpointer at = find_setting (self, id);

  if (at == NULL) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  if (G_IS_PARAM_SPEC_STRING (pspec)) {
    g_free (*(gchar **) at);
    *(gchar **) at = g_value_dup_string (value);
  } else if (G_IS_PARAM_SPEC_ENUM (pspec)) {
    *(gint *) at = g_value_get_enum (value);
  } else if (G_IS_PARAM_SPEC_FLAGS (pspec)) {
    *(guint *) at = g_value_get_flags (value);
  } else if (G_IS_PARAM_SPEC_BOOLEAN (pspec)) {
    *(gboolean *) at = g_value_get_boolean (value);
  } else {
    *(guint *) at = g_value_get_uint (value);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_encode_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * pspec)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);
  gpointer at = find_setting (self, id);

  GST_OBJECT_LOCK (self);
  if (id == PROP_DEVICE_NAME)
    g_value_set_string (value, self->device_name);
  else if (id == PROP_STATS)
    g_value_take_boxed (value, get_stats (self));
  else if (at == NULL)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  else if (G_IS_PARAM_SPEC_STRING (pspec))
    g_value_set_string (value, *(gchar **) at);
  else if (G_IS_PARAM_SPEC_ENUM (pspec))
    g_value_set_enum (value, *(gint *) at);
  else if (G_IS_PARAM_SPEC_FLAGS (pspec))
    g_value_set_flags (value, *(guint *) at);
  else if (G_IS_PARAM_SPEC_BOOLEAN (pspec))
    g_value_set_boolean (value, *(gboolean *) at);
  else
    g_value_set_uint (value, *(guint *) at);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_encode_finalize (GObject * object)
{
  GstRvmEncode *self = GST_RVM_ENCODE (object);

  g_free (self->settings.model_file);
  g_free (self->settings.device);
  g_free (self->settings.cache_dir);
  g_free (self->device_name);
  G_OBJECT_CLASS (gst_rvm_encode_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass * object)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
      | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
      | GST_PARAM_MUTABLE_READY;
  const GParamFlags shown = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

#define INSTALL(id, spec) g_object_class_install_property (object, id, spec)
  INSTALL (PROP_MODEL_FILE, g_param_spec_string ("model-file", "Model file",
          "Weights, .npz or .safetensors", NULL, ready));
  INSTALL (PROP_DEVICE, g_param_spec_string ("device", "Device",
          "OpenCL device: its index, or part of its or its platform's name"
          " (unset: the first GPU, else the CPU)", NULL, ready));
  INSTALL (PROP_DEVICE_NAME, g_param_spec_string ("device-name", "Device name",
          "OpenCL device in use", NULL, shown));
  INSTALL (PROP_GEMM, g_param_spec_enum ("gemm", "GEMM",
          "Who multiplies matrices", gst_rvm_gemm_get_type (), RVM_GEMM_AUTO,
          ready));
  INSTALL (PROP_PRECISION, g_param_spec_enum ("precision", "Precision",
          "How weights are stored; sums are always 32 bits",
          gst_rvm_precision_get_type (), RVM_PRECISION_F32, ready));
  INSTALL (PROP_SIZE, g_param_spec_uint ("size", "Size",
          "Shorter side of the analysed picture, pixels, rounded to whole"
          " patches (0 = the video's own)", 0, MAX_SIDE, 0, live));
  INSTALL (PROP_WIDTH, g_param_spec_uint ("width", "Width",
          "Width of the analysed picture, pixels, rounded to whole patches"
          " (0 = from height or size)", 0, MAX_SIDE, 0, live));
  INSTALL (PROP_HEIGHT, g_param_spec_uint ("height", "Height",
          "Height of the analysed picture, pixels, rounded to whole patches"
          " (0 = from width or size)", 0, MAX_SIDE, 0, live));
  INSTALL (PROP_INTERVAL, g_param_spec_uint ("interval", "Interval",
          "Frames skipped between two that are analysed; they carry the last"
          " features, marked so", 0, G_MAXUINT, 0, live));
  INSTALL (PROP_WARM_UP, g_param_spec_uint ("warm-up", "Warm-up",
          "Extra passes of the recurrent core over the first frame after a"
          " reset (0 = as published)", 0, 1000, 0, live));
  INSTALL (PROP_OUTPUT, g_param_spec_flags ("output", "Output",
          "Which tokens are attached", GST_RVM_TYPE_FEATURE_PARTS,
          DEFAULT_OUTPUT, live));
  INSTALL (PROP_RESET_ON, g_param_spec_flags ("reset-on", "Reset on",
          "What makes the recurrent state start anew, besides a change of the"
          " analysis size", gst_rvm_reset_on_get_type (), DEFAULT_RESET_ON,
          live));
  INSTALL (PROP_CACHE_DIR, g_param_spec_string ("cache-dir", "Cache directory",
          "Where compiled kernels are kept (unset: gst-rvm in the user's cache"
          " directory, empty: nowhere)", NULL, ready));
  INSTALL (PROP_STATS, g_param_spec_boxed ("stats", "Statistics",
          "frames, skipped, carried, resets, mean-us, max-us, state-norm,"
          " mean-update-gate", GST_TYPE_STRUCTURE, shown));
  INSTALL (PROP_QOS, g_param_spec_boolean ("qos", "QoS",
          "Do not analyse frames that are late downstream; they carry the last"
          " features", FALSE, live));
#undef INSTALL
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
  self->settings.output = DEFAULT_OUTPUT;
  self->settings.reset_on = DEFAULT_RESET_ON;
  self->earliest = GST_CLOCK_TIME_NONE;
  gst_base_transform_set_in_place (GST_BASE_TRANSFORM (self), TRUE);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), FALSE);
}
