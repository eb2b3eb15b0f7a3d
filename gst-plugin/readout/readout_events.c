/* An event waits until it has lasted long enough, then it goes on until it ends. */
#include "readout_events.h"

#include <math.h>

struct _RvmEventDetector
{
  guint channels;
  gdouble *smoothed;
  gboolean any;                 /* a value has been seen */
  GstClockTime last;            /* frame */
  guint waiting;                /* class that may become an event, or 0 */
  GstClockTime waiting_since;
  RvmReadoutEvent current;      /* class 0: none */
  gdouble most;                 /* smoothed value since the current or waiting one began */
};

RvmEventDetector *
rvm_event_detector_new (guint channels)
{
  RvmEventDetector *detector = g_new0 (RvmEventDetector, 1);

  detector->channels = channels;
  detector->smoothed = g_new0 (gdouble, channels);
  detector->last = GST_CLOCK_TIME_NONE;
  return detector;
}

void
rvm_event_detector_free (RvmEventDetector * detector)
{
  if (detector == NULL)
    return;
  g_free (detector->smoothed);
  g_free (detector);
}

static void
smooth (RvmEventDetector * detector, const RvmEventSettings * settings, const gfloat * values, GstClockTime pts)
{
  const gboolean timed = GST_CLOCK_TIME_IS_VALID (pts) && GST_CLOCK_TIME_IS_VALID (detector->last);
  const GstClockTimeDiff passed = timed ? ABS (GST_CLOCK_DIFF (detector->last, pts)) : 0;
  /* Without times every frame counts as much as a half-life. */
  const gdouble share = !detector->any || settings->half_life == 0 ? 1
      : timed ? 1 - exp2 (-(gdouble) passed / settings->half_life) : 0.5;

  for (guint i = 0; i < detector->channels; i++)
    detector->smoothed[i] += share * (values[i] - detector->smoothed[i]);
  detector->any = TRUE;
  detector->last = pts;
}

/* The strongest class that is over the upper threshold, or 0. */
static guint
find_candidate (const RvmEventDetector * detector, const RvmEventSettings * settings)
{
  guint best = 0;

  for (guint i = 0; i < detector->channels; i++)
    if (i + 1 != settings->ignored && detector->smoothed[i] >= settings->on
        && (best == 0 || detector->smoothed[i] > detector->smoothed[best - 1]))
      best = i + 1;
  return best;
}

static void
end_current (RvmEventDetector * detector, GstClockTime pts, GArray * events)
{
  RvmReadoutEvent event = detector->current;

  event.ends = TRUE;
  event.end = pts;
  event.confidence = detector->most;
  g_array_append_val (events, event);
  detector->current.class = 0;
}

static void
wait_for (RvmEventDetector * detector, guint class, GstClockTime pts)
{
  detector->waiting = class;
  detector->waiting_since = pts;
  detector->most = 0;
}

void
rvm_event_detector_push (RvmEventDetector * detector, const RvmEventSettings * settings, const gfloat * values, GstClockTime pts,
    GArray * events)
{
  guint candidate;

  smooth (detector, settings, values, pts);
  candidate = find_candidate (detector, settings);
  if (detector->current.class
      && (detector->smoothed[detector->current.class - 1] < settings->off || (candidate && candidate != detector->current.class)))
    end_current (detector, pts, events);
  if (detector->current.class == 0) {
    if (candidate && candidate != detector->waiting)
      wait_for (detector, candidate, pts);
    else if (detector->waiting && detector->smoothed[detector->waiting - 1] < settings->off)
      detector->waiting = 0;
  }
  const guint followed = detector->current.class ? detector->current.class : detector->waiting;
  if (followed == 0)
    return;
  detector->most = MAX (detector->most, detector->smoothed[followed - 1]);
  if (detector->current.class == 0
      && (!GST_CLOCK_TIME_IS_VALID (pts) || !GST_CLOCK_TIME_IS_VALID (detector->waiting_since)
          || (GstClockTime) ABS (GST_CLOCK_DIFF (detector->waiting_since, pts)) >= settings->least)) {
    RvmReadoutEvent event = { FALSE, followed, detector->waiting_since, GST_CLOCK_TIME_NONE, detector->most };

    g_array_append_val (events, event);
    detector->current = event;
    detector->waiting = 0;
  }
  if (detector->current.class)
    detector->current.confidence = detector->smoothed[detector->current.class - 1];
}

void
rvm_event_detector_finish (RvmEventDetector * detector, GArray * events)
{
  if (detector->current.class)
    end_current (detector, detector->last, events);
  detector->waiting = 0;
  detector->any = FALSE;
  detector->last = GST_CLOCK_TIME_NONE;
  for (guint i = 0; i < detector->channels; i++)
    detector->smoothed[i] = 0;
}

const RvmReadoutEvent *
rvm_event_detector_get_current (const RvmEventDetector * detector)
{
  return detector->current.class ? &detector->current : NULL;
}
