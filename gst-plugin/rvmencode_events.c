/* Events and queries of rvmencode: what resets the state, what is late, what a
 * frame costs. */
#include "rvmencode_private.h"

#define GST_CAT_DEFAULT rvm_encode_debug

gboolean
gst_rvm_encode_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmEncode *self = GST_RVM_ENCODE (base);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_STOP:
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_FLUSH);
      break;
    case GST_EVENT_SEGMENT:
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_SEGMENT);
      break;
    case GST_EVENT_STREAM_START:
      gst_rvm_encode_maybe_reset (self, GST_RVM_RESET_STREAM_START);
      break;
    default:
      break;
  }
  return gst_rvm_encode_base->sink_event (base, event);
}

/* What downstream says of its lateness; the base class would drop the buffer,
 * which carries a picture that somebody wants to see. */
gboolean
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
  return gst_rvm_encode_base->src_event (base, event);
}

gboolean
gst_rvm_encode_is_late (GstRvmEncode * self, GstBuffer * buffer)
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

/* Live streams: the time of a frame is latency. */
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
  own = self->counters.updates ? self->counters.total_us * GST_USECOND
      / self->counters.updates : 0;
  GST_OBJECT_UNLOCK (self);
  gst_query_parse_latency (query, &live, &min, &max);
  gst_query_set_latency (query, live, min + own,
      GST_CLOCK_TIME_IS_VALID (max) ? max + own : max);
  return TRUE;
}
