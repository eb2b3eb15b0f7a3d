/* What the files of rvmtrack share: the element, and how tracks are started (rvmtrack_starts.c). */
#pragma once

#include <gst/video/video.h>

#include "choice.h"
#include "continuity.h"
#include "missing.h"
#include "rvmtrack.h"
#include "rvmtrack_settings.h"
#include "track_appearance.h"
#include "tracker.h"

G_BEGIN_DECLS

struct _GstRvmtrack
{
  GstBaseTransform parent;

  /* object lock */
  GstRvmTrackSettings settings;
  GArray *waiting;              /* GstRvmTrack, pixels or fractions as given */
  GArray *removed;              /* guint */
  guint last_id, n_tracks;

  /* streaming thread */
  RvmTracker *tracker;
  RvmTrackAppearance *appearance;
  gboolean colours_warned;      /* that pictures cannot be read */
  RvmMask *mask;                /* of mask-file, nullable */
  gchar *mask_name;
  guint limit;
  gdouble refine;               /* as set when the element started */
  gboolean have_info;
  GstVideoInfo info;
  RvmView view;                 /* of the picture at hand */
  RvmChoice choice;
  RvmSeen seen;                 /* the features followed last */
  gchar *stream_id;
  gchar *name;                  /* the element's */
  gboolean had_regions;         /* since the last start */
  RvmMissing missing;           /* features */
};

/* Streaming thread, after the tracker has the features of @buffer or of the frame at @pts. They start what the properties say, which is for the first
 * frame; what a detector left on @buffer, if the property regions says so; and what the signals asked for, after removing what they removed. */
gboolean gst_rvmtrack_start_properties (GstRvmtrack * self, GstClockTime pts, GError ** error);
gboolean gst_rvmtrack_start_regions (GstRvmtrack * self, GstBuffer * buffer, GError ** error);
gboolean gst_rvmtrack_apply_signals (GstRvmtrack * self, GstClockTime pts, GError ** error);

/* Handlers of the action signals, in any thread. */
guint gst_rvmtrack_add_point (GstRvmtrack * self, gdouble x, gdouble y);
guint gst_rvmtrack_add_box (GstRvmtrack * self, gdouble x, gdouble y, gdouble width, gdouble height);
void gst_rvmtrack_remove (GstRvmtrack * self, guint id);

G_END_DECLS
