/* Custom events, known by the name of their structure: "GstRvmResetState", with "pts" (guint64) if a frame is named. */
#include "gstrvmevent.h"

#define RESET_STATE "GstRvmResetState"

GstEvent *
gst_rvm_event_new_reset_state (gboolean upstream, GstClockTime pts)
{
  GstStructure *structure = gst_structure_new_empty (RESET_STATE);

  if (GST_CLOCK_TIME_IS_VALID (pts))
    gst_structure_set (structure, "pts", G_TYPE_UINT64, pts, NULL);
  return gst_event_new_custom (upstream ? GST_EVENT_CUSTOM_UPSTREAM :
      GST_EVENT_CUSTOM_DOWNSTREAM, structure);
}

gboolean
gst_rvm_event_parse_reset_state (GstEvent * event, GstClockTime * pts)
{
  const GstStructure *structure;
  GstClockTime time;

  g_return_val_if_fail (GST_IS_EVENT (event), FALSE);

  structure = gst_event_get_structure (event);
  if ((GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_UPSTREAM
          && GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_DOWNSTREAM)
      || structure == NULL || !gst_structure_has_name (structure, RESET_STATE))
    return FALSE;
  if (!gst_structure_get_uint64 (structure, "pts", &time))
    time = GST_CLOCK_TIME_NONE;
  if (pts)
    *pts = time;
  return TRUE;
}
