/* Events in what a readout says: a class whose smoothed probability rises over one threshold begins an event, which ends when it falls below a lower one,
 * so that an answer that wavers makes one event and not many. Of distances the only channel stands for "not normal". Belongs to one stream. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  gdouble on, off;              /* thresholds of the smoothed value, on >= off */
  GstClockTime half_life;       /* after which a value counts half; 0: not smoothed */
  GstClockTime least;           /* shorter events are none */
  guint ignored;                /* a class that is no event, counted from 1; 0: none */
} RvmEventSettings;

typedef struct
{
  gboolean ends;                /* FALSE: it begins */
  guint class;                  /* counted from 1 */
  GstClockTime start, end;      /* presentation times; end is NONE while it goes on */
  gdouble confidence;           /* the largest smoothed value so far */
} RvmReadoutEvent;

typedef struct _RvmEventDetector RvmEventDetector;

RvmEventDetector *rvm_event_detector_new (guint channels);
void rvm_event_detector_free (RvmEventDetector * detector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmEventDetector, rvm_event_detector_free)

/* The answer of the frame at @pts, @values: one for each channel. What begins and ends with it is added to @events (RvmReadoutEvent). A begin is told when
 * the event has lasted long enough; its start is that of its first frame. */
void rvm_event_detector_push (RvmEventDetector * detector, const RvmEventSettings * settings, const gfloat * values, GstClockTime pts,
    GArray * events);
/* The stream ends, or what comes next does not go on from it: the event that goes on ends with the last frame. */
void rvm_event_detector_finish (RvmEventDetector * detector, GArray * events);

/* (nullable) The event that goes on, whose confidence is the smoothed value of now. */
const RvmReadoutEvent *rvm_event_detector_get_current (const RvmEventDetector * detector);

G_END_DECLS
