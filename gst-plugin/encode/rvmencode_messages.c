/* Messages of rvmencode on the bus: errors and warnings, and element messages, on request of its property messages, whose times are presentation
 * times. */
#include "kernels/error.h"
#include "rvmencode_private.h"

#define GST_CAT_DEFAULT rvm_encode_debug

void
gst_rvm_encode_post (GstRvmEncode * self, GstMessageType type,
    const GError * error, const gchar * when)
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
  gst_element_message_full (GST_ELEMENT (self), type, domain,
      code, g_utf8_make_valid (error->message, -1), g_strdup (when), __FILE__, G_STRFUNC,
      __LINE__);
}

static gboolean
wants (GstRvmEncode * self, GstRvmMessages message)
{
  gboolean wanted;

  GST_OBJECT_LOCK (self);
  wanted = (self->settings.messages & message) != 0;
  GST_OBJECT_UNLOCK (self);
  return wanted;
}

static void
post (GstRvmEncode * self, GstStructure * structure)
{
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), structure));
}

/* "flush+segment", or what it was if nobody asked. */
static gchar *
describe_reasons (GstRvmEncode * self, const RvmEncodeResult * result)
{
  static const struct
  {
    guint reason;
    const gchar *name;
  } others[] = {
    {RVM_RESET_SIGNAL, "signal"},
    {RVM_RESET_EVENT, "event"},
    {RVM_RESET_LOAD, "load"},
    {RVM_RESET_MODEL, "model"},
  };
  g_autoptr (GFlagsClass) klass =
      g_type_class_ref (gst_rvm_reset_on_get_type ());
  GString *text = g_string_new (NULL);

  if (result->scene_cut)
    g_string_append (text, "+scene");
  for (guint i = 0; i < klass->n_values; i++)
    if (self->reasons & klass->values[i].value)
      g_string_append_printf (text, "+%s", klass->values[i].value_nick);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    if (self->reasons & others[i].reason)
      g_string_append_printf (text, "+%s", others[i].name);
  if (text->len == 0)
    g_string_append (text,
        rvm_encode_session_get_origin (self->session)->generation ==
        1 ? "+start" : "+size");
  g_string_erase (text, 0, 1);
  return g_string_free (text, FALSE);
}

static void
post_reset (GstRvmEncode * self, GstBuffer * buffer,
    const RvmEncodeResult * result)
{
  const GstRvmFeatureMeta *origin = rvm_encode_session_get_origin (self->session);
  g_autofree gchar *reason = describe_reasons (self, result);

  GST_DEBUG_OBJECT (self, "generation %" G_GUINT64_FORMAT " begins: %s%s",
      origin->generation, reason, origin->restored ? ", restored" : "");
  if (wants (self, GST_RVM_MESSAGE_RESET))
    post (self, gst_structure_new ("rvm-reset",
            "reason", G_TYPE_STRING, reason,
            "generation", G_TYPE_UINT64, origin->generation,
            "pts", G_TYPE_UINT64, GST_BUFFER_PTS (buffer),
            "restored", G_TYPE_BOOLEAN, origin->restored,
            "restored-pts", G_TYPE_UINT64, origin->restored_pts,
            "restored-age", G_TYPE_UINT64, origin->restored_age, NULL));
}

gboolean
gst_rvm_encode_wants_health (GstRvmEncode * self)
{
  return self->until_health == 0 && wants (self, GST_RVM_MESSAGE_HEALTH);
}

void
gst_rvm_encode_post_messages (GstRvmEncode * self, GstBuffer * buffer,
    const RvmEncodeResult * result)
{
  if (result->began) {
    post_reset (self, buffer, result);
    self->reasons = 0;
  }
  if (!result->gates_measured) {
    if (self->until_health > 0)
      self->until_health--;
    return;
  }
  GST_OBJECT_LOCK (self);
  self->until_health = self->settings.health_interval - 1;
  GST_OBJECT_UNLOCK (self);
  post (self, gst_structure_new ("rvm-health",
          "pts", G_TYPE_UINT64, GST_BUFFER_PTS (buffer),
          "frames-since-reset", G_TYPE_UINT64,
          rvm_encode_session_get_origin (self->session)->frames_since_reset,
          "finite", G_TYPE_BOOLEAN, TRUE,
          "state-norm", G_TYPE_DOUBLE, (gdouble) result->health.state_norm,
          "mean-update-gate", G_TYPE_DOUBLE, (gdouble) result->update_gate,
          "mean-reset-gate", G_TYPE_DOUBLE, (gdouble) result->reset_gate,
          NULL));
}

void
gst_rvm_encode_post_not_finite (GstRvmEncode * self, GstBuffer * buffer)
{
  if (wants (self, GST_RVM_MESSAGE_HEALTH))
    post (self, gst_structure_new ("rvm-health",
            "pts", G_TYPE_UINT64, GST_BUFFER_PTS (buffer),
            "finite", G_TYPE_BOOLEAN, FALSE, NULL));
}

void
gst_rvm_encode_post_model (GstRvmEncode * self, const gchar * file,
    gboolean kept)
{
  const gchar *id =
      rvm_model_get_id (rvm_encode_session_get_model (self->session));
  /* A path may be of any bytes, a field of a structure is text. */
  g_autofree gchar *name = g_filename_display_name (file);

  GST_INFO_OBJECT (self, "model %s of %s takes over, the state %s", id, file,
      kept ? "is kept" : "is reset");
  if (wants (self, GST_RVM_MESSAGE_MODEL))
    post (self, gst_structure_new ("rvm-model",
            "model-id", G_TYPE_STRING, id, "model-file", G_TYPE_STRING, name,
            "state-kept", G_TYPE_BOOLEAN, kept, NULL));
}

void
gst_rvm_encode_post_qos (GstRvmEncode * self, GstBuffer * buffer)
{
  const GstSegment *segment = &GST_BASE_TRANSFORM (self)->segment;
  const GstClockTime pts = GST_BUFFER_PTS (buffer);
  const GstClockTime running =
      gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts);
  guint64 updates, dropped;
  GstClockTimeDiff jitter;
  GstMessage *message;

  GST_OBJECT_LOCK (self);
  updates = self->counters.updates;
  dropped = self->counters.dropped;
  jitter = GST_CLOCK_DIFF (running, self->earliest);
  GST_OBJECT_UNLOCK (self);
  message = gst_message_new_qos (GST_OBJECT (self), FALSE, running,
      gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts), pts,
      GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_values (message, jitter, 1.0, 1000000);
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS, updates, dropped);
  gst_element_post_message (GST_ELEMENT (self), message);
}
