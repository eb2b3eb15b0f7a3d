/**
 * SECTION:element-rvmreadout
 * @title: rvmreadout
 * @short_description: turns the features of rvmencode into answers
 *
 * Applies a readout, a small network that `rvm-cl-train readout` has taught with a few
 * labelled clips, to the features of the buffers: which of these classes is it, how far
 * is each place, is this normal. Each buffer with features gets a GstRvmReadoutMeta with
 * the answer. Any number of rvmreadout can follow each other.
 *
 * A readout looks at a window of states, `stride` analysed frames apart, as its file
 * says. The window is emptied when the features do not go on from those before: when the
 * state of rvmencode is reset, when they come from another rvmencode or another stream,
 * or when frames step back. Until it is full again, answers are of fewer states, which
 * the metadata counts. Frames that rvmencode did not analyse have the answer of the frame
 * before.
 *
 * A readout belongs to the model on whose features it was trained. Those of another
 * model are an error that names both, unless `force-model` is set. Another size of the
 * analysed picture, or a frame rate that differs by more than half, is a warning.
 *
 * ## Events
 * Of classes and distances, events are found: a class whose probability, smoothed with
 * `half-life`, reaches `event-on` begins one, once it has lasted for `min-duration`; it
 * ends when that falls below `event-off`, when another class takes over, with a reset, and
 * at the end of the stream. The event that goes on is in the metadata. When one begins and
 * when it ends, an element message named `rvm-event` is posted, with
 *
 * - "state" (string): "begin" or "end",
 * - "readout" (string): the name of this element,
 * - "class" (string): the name of the class, or "distance",
 * - "index" (uint): the class, counted from 0,
 * - "start", "end" (uint64): presentation times, nanoseconds; "end" is missing as long as
 *   the event goes on,
 * - "confidence" (double): the largest smoothed probability, or distance, so far.
 *
 * With GStreamer 1.24, probabilities of classes are also a classification entry of
 * GstAnalyticsRelationMeta; with 1.26, logits are a tensor "classification-generic-out".
 * With 1.28, the caps say so, and classifiertensordecoder reads it.
 *
 * ## Example
 * |[
 * gst-launch-1.0 -m filesrc location=video.mp4 ! decodebin ! videoconvert ! rvmencode size=256 ! rvmreadout readout-file=gestures.safetensors ! rvmexport location=answers.jsonl ! fakesink
 * ]|
 */
#include "rvmreadout.h"

#include <gst/video/video.h>

#include "allocation.h"
#include "analytics.h"
#include "choice.h"
#include "continuity.h"
#include "device_notice.h"
#include "missing.h"
#include "readout_session.h"
#include "rvmreadout_settings.h"

GST_DEBUG_CATEGORY_STATIC (rvm_readout_debug);
#define GST_CAT_DEFAULT rvm_readout_debug

enum
{
  PROP_0,
  PROP_FIRST_SETTING,
};

/* Where nothing is set: a class is more likely than not, a frame twice as far from normal footage as such footage is from itself. */
#define CLASS_ON 0.6
#define DISTANCE_ON 2.0

struct _GstRvmreadout
{
  GstBaseTransform parent;

  /* object lock */
  GstRvmReadoutSettings settings;
  gboolean file_is_new;         /* readout-file was set and has not been looked at */
  guint logits;                 /* what count_logits() says */

  /* streaming thread */
  RvmDevice *device;
  RvmElement precision;         /* when the device was opened */
  RvmReadoutSession *session;
  RvmChoice choice;
  RvmSeen seen;
  gchar *stream_id;
  gchar *name;                  /* the element's */
  RvmMissing missing;
  GArray *events;               /* RvmReadoutEvent: those of the frame at hand */
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw(ANY)"));

G_DEFINE_TYPE (GstRvmreadout, gst_rvmreadout, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmreadout, "rvmreadout", GST_RANK_NONE, GST_TYPE_RVMREADOUT)

/* (transfer full) (nullable): the file to read, which has been looked at from then on. */
static gchar *
take_file (GstRvmreadout * self, gboolean * is_new)
{
  gchar *file;

  GST_OBJECT_LOCK (self);
  *is_new = self->file_is_new;
  self->file_is_new = FALSE;
  file = g_strdup (self->settings.file);
  GST_OBJECT_UNLOCK (self);
  return file;
}

static gboolean
gst_rvmreadout_stop (GstBaseTransform * base)
{
  GstRvmreadout *self = GST_RVMREADOUT (base);

  g_clear_pointer (&self->session, rvm_readout_session_free);
  g_clear_pointer (&self->device, rvm_device_unref);
  g_clear_pointer (&self->stream_id, g_free);
  g_clear_pointer (&self->name, g_free);
  rvm_seen_clear (&self->seen);
  return TRUE;
}

/* Logits of classes that the buffers leave with; 0: none. */
static guint
count_logits (GstRvmreadout * self)
{
  guint count;

  GST_OBJECT_LOCK (self);
  count = self->logits;
  GST_OBJECT_UNLOCK (self);
  return count;
}

/* What caps say of tensors, from the session that answers from now on. */
static void
tell_logits (GstRvmreadout * self)
{
  const gboolean classes = rvm_readout_session_get_kind (self->session) == GST_RVM_READOUT_CLASS;

  GST_OBJECT_LOCK (self);
  self->logits = classes ? rvm_readout_info_count_classes (rvm_readout_session_get_info (self->session)) : 0;
  GST_OBJECT_UNLOCK (self);
}

static gboolean
open_all (GstRvmreadout * self, GError ** error)
{
  g_autofree gchar *selector = NULL, *cache_dir = NULL, *file = NULL;
  gboolean is_new;

  file = take_file (self, &is_new);
  if (file == NULL || *file == '\0') {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "readout-file is not set: expected a file that rvm-cl-train"
        " readout has written");
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  selector = g_strdup (self->settings.device);
  cache_dir = g_strdup (self->settings.cache_dir);
  self->precision = self->settings.precision;
  GST_OBJECT_UNLOCK (self);
  self->device = rvm_device_open (selector, cache_dir, error);
  if (self->device == NULL)
    return FALSE;
  self->session = rvm_readout_session_new (file, self->device, self->precision, error);
  if (self->session == NULL)
    return FALSE;
  tell_logits (self);
  return TRUE;
}

static gboolean
gst_rvmreadout_start (GstBaseTransform * base)
{
  GstRvmreadout *self = GST_RVMREADOUT (base);
  g_autoptr (GError) error = NULL;

  if (!open_all (self, &error)) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    gst_rvmreadout_stop (base);
    return FALSE;
  }
  rvm_device_notice_post (GST_ELEMENT (self), self->device);
  self->name = gst_object_get_name (GST_OBJECT (self));
  self->choice = (RvmChoice) { 0 };
  self->missing = (RvmMissing) { 0 };
  return TRUE;
}

static void
post_events (GstRvmreadout * self)
{
  const RvmReadoutInfo *info = rvm_readout_session_get_info (self->session);

  for (guint i = 0; i < self->events->len; i++) {
    const RvmReadoutEvent *event = &g_array_index (self->events, RvmReadoutEvent, i);
    const gchar *class = info->classes && event->class <= g_strv_length (info->classes) ? info->classes[event->class - 1] : "distance";
    GstStructure *structure = gst_structure_new ("rvm-event", "state", G_TYPE_STRING, event->ends ? "end" : "begin",
        "readout", G_TYPE_STRING, self->name, "class", G_TYPE_STRING, class, "index", G_TYPE_UINT, event->class - 1,
        "start", G_TYPE_UINT64, event->start, "confidence", G_TYPE_DOUBLE, event->confidence, NULL);

    if (event->ends)
      gst_structure_set (structure, "end", G_TYPE_UINT64, event->end, NULL);
    gst_element_post_message (GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self), structure));
  }
  g_array_set_size (self->events, 0);
}

/* Ends the event that goes on; what comes next begins with an empty window. */
static void
break_off (GstRvmreadout * self)
{
  rvm_readout_session_reset (self->session, self->events);
  post_events (self);
}

/* Takes the file that was set while playing. Whether there was one that can be used. */
static gboolean
change_file (GstRvmreadout * self)
{
  g_autoptr (RvmReadoutSession) session = NULL;
  g_autoptr (GError) error = NULL;
  gboolean is_new;
  g_autofree gchar *file = take_file (self, &is_new);

  if (!is_new)
    return FALSE;
  if (file && *file)
    session = rvm_readout_session_new (file, self->device, self->precision, &error);
  if (session == NULL) {
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS, ("%s; the readout before stays", error ? error->message : "readout-file is empty"), (NULL));
    return FALSE;
  }
  break_off (self);
  g_clear_pointer (&self->session, rvm_readout_session_free);
  self->session = g_steal_pointer (&session);
  return TRUE;
}

/* FALSE: no events are wanted. */
static gboolean
get_event_settings (GstRvmreadout * self, RvmEventSettings * settings)
{
  const RvmReadoutInfo *info = rvm_readout_session_get_info (self->session);
  const gboolean classes = rvm_readout_session_get_kind (self->session) == GST_RVM_READOUT_CLASS;
  gboolean wanted;

  GST_OBJECT_LOCK (self);
  wanted = self->settings.events;
  settings->on = self->settings.event_on >= 0 ? self->settings.event_on : classes ? CLASS_ON : DISTANCE_ON;
  settings->off = MIN (self->settings.event_off >= 0 ? self->settings.event_off : settings->on * 2 / 3, settings->on);
  settings->half_life = self->settings.half_life;
  settings->least = self->settings.least;
  settings->ignored = 0;
  for (guint i = 0; classes && self->settings.background && info->classes[i]; i++)
    if (g_str_equal (info->classes[i], self->settings.background))
      settings->ignored = i + 1;
  GST_OBJECT_UNLOCK (self);
  return wanted;
}

static gboolean
answer (GstRvmreadout * self, const GstRvmFeatureMeta * meta, gboolean force, GError ** error)
{
  const RvmContinuity continuity = rvm_seen_update (&self->seen, meta);
  g_autofree gchar *warning = NULL;
  RvmEventSettings settings;
  gboolean events;

  if (continuity == RVM_CONTINUITY_RESET || continuity == RVM_CONTINUITY_OTHER)
    break_off (self);
  else if (continuity == RVM_CONTINUITY_SAME)
    return TRUE;
  if (!rvm_readout_session_check (self->session, meta, force, error))
    return FALSE;
  events = get_event_settings (self, &settings);
  if (!rvm_readout_session_push (self->session, meta, events ? &settings : NULL, self->events, error))
    return FALSE;
  warning = rvm_readout_session_warn (self->session, meta);
  if (warning)
    GST_ELEMENT_WARNING (self, STREAM, FAILED, ("%s", warning), (NULL));
  post_events (self);
  return TRUE;
}

static GstCaps *
gst_rvmreadout_transform_caps (GstBaseTransform * base, GstPadDirection direction, GstCaps * caps, GstCaps * filter)
{
  const guint logits = count_logits (GST_RVMREADOUT (base));
  GstCaps *result = gst_caps_copy (caps), *filtered;

  if (direction == GST_PAD_SRC && logits)
    rvm_analytics_remove_tensor_caps (result);
  else if (logits)
    rvm_analytics_add_tensor_caps (result, logits);
  if (filter == NULL)
    return result;
  filtered = gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref (result);
  return filtered;
}

/* The file that was set while playing has another number of classes: so have the caps, from this buffer on. */
static gboolean
update_caps (GstRvmreadout * self)
{
  const guint before = count_logits (self);
  g_autoptr (GstCaps) sink = NULL, src = NULL;

  tell_logits (self);
  if (count_logits (self) == before)
    return TRUE;
  sink = gst_pad_get_current_caps (GST_BASE_TRANSFORM_SINK_PAD (self));
  src = sink ? gst_rvmreadout_transform_caps (GST_BASE_TRANSFORM (self), GST_PAD_SINK, sink, NULL) : NULL;
  return src == NULL || gst_base_transform_update_src_caps (GST_BASE_TRANSFORM (self), src);
}

static GstFlowReturn
gst_rvmreadout_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmreadout *self = GST_RVMREADOUT (base);
  g_autofree gchar *encoder = NULL;
  g_autoptr (GError) error = NULL;
  const GstRvmFeatureMeta *meta;
  gboolean force;

  GST_OBJECT_LOCK (self);
  encoder = g_strdup (self->settings.encoder);
  force = self->settings.force_model;
  GST_OBJECT_UNLOCK (self);
  meta = rvm_choice_get_features (&self->choice, GST_ELEMENT (self), buffer, encoder, TRUE);
  rvm_missing_count (&self->missing, GST_ELEMENT (self), meta || rvm_choice_is_missing (&self->choice), RVM_MISSING_FEATURES);
  if (meta == NULL)
    return GST_FLOW_OK;
  if (change_file (self) && !update_caps (self))
    return GST_FLOW_NOT_NEGOTIATED;
  if (!answer (self, meta, force, &error)) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, ("%s", error->message), (NULL));
    return GST_FLOW_ERROR;
  }
  rvm_analytics_add_readout (buffer, rvm_readout_session_attach (self->session, buffer, self->name));
  return GST_FLOW_OK;
}

static gboolean
gst_rvmreadout_propose_allocation (GstBaseTransform * base, GstQuery * decide, GstQuery * query)
{
  return rvm_allocation_propose (base, query, TRUE);
}

static gboolean
gst_rvmreadout_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmreadout *self = GST_RVMREADOUT (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START && rvm_stream_id_update (&self->stream_id, event))
    rvm_seen_clear (&self->seen);
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && self->session) {
    break_off (self);
    rvm_seen_clear (&self->seen);
    rvm_missing_finish (&self->missing, GST_ELEMENT (self), RVM_MISSING_FEATURES);
  }
  return GST_BASE_TRANSFORM_CLASS (gst_rvmreadout_parent_class)->sink_event (base, event);
}

static void
gst_rvmreadout_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  GstRvmreadout *self = GST_RVMREADOUT (object);

  rvm_settings_set (object, &self->settings, id, value, pspec);
  if (g_str_equal (pspec->name, "cache-dir"))
    rvm_device_suggest_cache_dir (g_value_get_string (value));
  if (g_str_equal (pspec->name, "readout-file")) {
    GST_OBJECT_LOCK (self);
    self->file_is_new = TRUE;
    GST_OBJECT_UNLOCK (self);
  }
}

static void
gst_rvmreadout_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  rvm_settings_get (object, &GST_RVMREADOUT (object)->settings, id, value, pspec);
}

static void
gst_rvmreadout_finalize (GObject * object)
{
  GstRvmreadout *self = GST_RVMREADOUT (object);

  rvm_settings_clear (object, &self->settings);
  g_array_unref (self->events);
  G_OBJECT_CLASS (gst_rvmreadout_parent_class)->finalize (object);
}

static void
gst_rvmreadout_class_init (GstRvmreadoutClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_readout_debug, "rvmreadout", 0, "Turns recurrent video features into answers");
  object->set_property = gst_rvmreadout_set_property;
  object->get_property = gst_rvmreadout_get_property;
  object->finalize = gst_rvmreadout_finalize;
  gst_rvm_readout_settings_install (object, PROP_FIRST_SETTING);
  gst_element_class_set_static_metadata (element, "Feature readout", "Filter/Analyzer/Video",
      "Turns recurrent video features into classes, maps and distances", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  base->start = gst_rvmreadout_start;
  base->stop = gst_rvmreadout_stop;
  base->sink_event = gst_rvmreadout_sink_event;
  base->transform_caps = gst_rvmreadout_transform_caps;
  base->propose_allocation = gst_rvmreadout_propose_allocation;
  base->transform_ip = gst_rvmreadout_transform_ip;
}

static void
gst_rvmreadout_init (GstRvmreadout * self)
{
  self->events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));
}
