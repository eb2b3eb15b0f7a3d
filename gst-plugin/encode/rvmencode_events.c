/* Events and queries of rvmencode: what resets the state, what is late, what a
 * frame costs. */
#include "rvmencode_private.h"

#include "meta/gstrvmevent.h"

#define GST_CAT_DEFAULT rvm_encode_debug

/* Forgets earlier times, so that no gap is seen between them and the next frame. */
static void
forget_times (GstRvmEncode * self)
{
  self->frame_end = GST_CLOCK_TIME_NONE;
  self->gaps = 0;
}

/* Snapshots are of places in one stream, and so is the count of its frames. */
static void
note_stream (GstRvmEncode * self, GstEvent * event)
{
  const gchar *id;

  gst_event_parse_stream_start (event, &id);
  if (self->session && g_strcmp0 (id, self->stream_id) != 0) {
    rvm_snapshots_clear (self->snapshots);
    rvm_encode_session_begin_stream (self->session, id);
  }
  g_free (self->stream_id);
  self->stream_id = g_strdup (id);
}

gboolean
gst_rvm_encode_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  GstClockTime time;

  rvm_orientation_tags_note (&self->tags, base->sinkpad, event);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_STOP:
      forget_times (self);
      gst_rvm_encode_forget_resets_at (self);
      GST_OBJECT_LOCK (self);
      self->earliest = self->late_since = GST_CLOCK_TIME_NONE;
      GST_OBJECT_UNLOCK (self);
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_FLUSH);
      break;
    case GST_EVENT_SEGMENT:
      forget_times (self);
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_SEGMENT);
      break;
    case GST_EVENT_STREAM_START:
      forget_times (self);
      note_stream (self, event);
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_STREAM_START);
      break;
    case GST_EVENT_GAP:
      gst_event_parse_gap (event, NULL, &time);
      if (GST_CLOCK_TIME_IS_VALID (time))
        self->gaps += MIN (time, G_MAXUINT64 - self->gaps);
      break;
    case GST_EVENT_EOS:
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_EOS);
      break;
    case GST_EVENT_CUSTOM_DOWNSTREAM:
      if (gst_rvm_event_parse_reset_state (event, &time))
        gst_rvm_encode_request_reset_at (self, time);
      break;
    default:
      break;
  }
  return gst_rvm_encode_base->sink_event (base, event);
}

/* An application's event for this element. The default would hand it to a
 * neighbour. */
gboolean
gst_rvm_encode_send_event (GstElement * element, GstEvent * event)
{
  GstClockTime pts;

  if (!gst_rvm_event_parse_reset_state (event, &pts))
    return GST_ELEMENT_CLASS (gst_rvm_encode_base)->send_event (element, event);
  gst_rvm_encode_request_reset_at (GST_RVM_ENCODE (element), pts);
  gst_event_unref (event);
  return TRUE;
}

/* A gap is what GAP events say, or a hole between two buffers' times, which is
 * all that a source that lost its input may leave. */
void
gst_rvm_encode_note_times (GstRvmEncode * self, GstBuffer * buffer)
{
  const GstClockTime pts = GST_BUFFER_PTS (buffer);
  GstClockTime gap = self->gaps, threshold;

  GST_OBJECT_LOCK (self);
  threshold = self->settings.gap_threshold;
  GST_OBJECT_UNLOCK (self);
  if (GST_CLOCK_TIME_IS_VALID (pts) && GST_CLOCK_TIME_IS_VALID (self->frame_end)
      && pts > self->frame_end)
    gap = MAX (gap, pts - self->frame_end);
  self->gaps = 0;
  self->frame_end = pts;
  if (GST_CLOCK_TIME_IS_VALID (pts) && GST_BUFFER_DURATION_IS_VALID (buffer))
    self->frame_end += MIN (GST_BUFFER_DURATION (buffer), G_MAXUINT64 - 1 - pts);
  if (gap >= threshold)
    gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_GAP);
}

/* What downstream says of its lateness; the base class would drop the buffer,
 * which carries a picture that somebody wants to see. */
gboolean
gst_rvm_encode_src_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  GstClockTime pts;

  if (gst_rvm_event_parse_reset_state (event, &pts)) {
    gst_rvm_encode_request_reset_at (self, pts);
    /* Others upstream are asked too; that none is there is no failure. */
    gst_rvm_encode_base->src_event (base, event);
    return TRUE;
  }
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
  return gst_rvm_encode_base->src_event (base, event);
}

/* Where everything is late, a frame of each second of the stream is analysed
 * all the same, as sinks show one. */
gboolean
gst_rvm_encode_is_late (GstRvmEncode * self, GstBuffer * buffer)
{
  const GstSegment *segment = &GST_BASE_TRANSFORM (self)->segment;
  const GstClockTime time = gst_segment_to_running_time (segment,
      GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  gboolean late;

  GST_OBJECT_LOCK (self);
  late = self->settings.qos && GST_CLOCK_TIME_IS_VALID (time)
      && GST_CLOCK_TIME_IS_VALID (self->earliest) && time < self->earliest
      && !(GST_CLOCK_TIME_IS_VALID (self->late_since)
      && time >= self->late_since + GST_SECOND);
  if (!late)
    self->late_since = GST_CLOCK_TIME_NONE;
  else if (!GST_CLOCK_TIME_IS_VALID (self->late_since))
    self->late_since = time;
  GST_OBJECT_UNLOCK (self);
  return late;
}

/* Live streams: the time of a frame is latency, which gst_rvm_encode_count_update()
 * measures. */
gboolean
gst_rvm_encode_query (GstBaseTransform * base, GstPadDirection direction,
    GstQuery * query)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);
  GstClockTime min, max, own;
  gboolean live;

  if (!gst_rvm_encode_base->query (base, direction, query))
    return FALSE;
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY || direction != GST_PAD_SRC)
    return TRUE;
  GST_OBJECT_LOCK (self);
  own = self->counters.latency_us * GST_USECOND;
  GST_OBJECT_UNLOCK (self);
  gst_query_parse_latency (query, &live, &min, &max);
  gst_query_set_latency (query, live, min + own,
      GST_CLOCK_TIME_IS_VALID (max) ? max + own : max);
  return TRUE;
}
