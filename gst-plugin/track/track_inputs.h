/* Where tracks come from: text of properties, and regions that a detector left on
 * a buffer. */
#pragma once

#include <gst/video/video.h>

#include "meta/gstrvmtrackmeta.h"
#include "video/view.h"

G_BEGIN_DECLS

typedef enum
{
  GST_RVM_TRACK_REGIONS_NONE,
  GST_RVM_TRACK_REGIONS_FIRST,
  GST_RVM_TRACK_REGIONS_NEW,
} GstRvmTrackRegions;

GType gst_rvm_track_regions_get_type (void);

/* "a,b;c,d" to tracks of @numbers numbers each (2: points, 4: boxes), appended to @out (GstRvmTrack). RVM_ERROR_ARGUMENT, naming @name. */
gboolean rvm_track_inputs_parse (const gchar * name, const gchar * text,
    guint numbers, GArray * out, GError ** error);

/* Pixels of the upright picture to fractions of it; numbers of which none is above 1 are fractions already. RVM_ERROR_ARGUMENT if it is not inside the
 * picture or, a box, has no size. */
gboolean rvm_track_inputs_to_fractions (GstRvmTrack * track,
    const RvmView * view, GError ** error);

/* (element-type GstRvmTrack) (transfer full): the regions on @buffer, which are pixels of the stored picture, as boxes in fractions of the upright
 * one, cut at its border, with the detector's label: object detections of GstAnalyticsRelationMeta that nobody tracks yet, or if there are none (or GStreamer is too old)
 * GstVideoRegionOfInterestMeta but those of rvmtrack. */
GArray *rvm_track_inputs_from_buffer (GstBuffer * buffer,
    const RvmView * view);

/* Intersection over union of two boxes. */
gdouble rvm_track_inputs_overlap (const GstRvmTrack * a, const GstRvmTrack * b);

/* Whether a visible box or mask of @tracks (GstRvmTrack) is the same thing as @box: intersection over union of 0.3 and more. */
gboolean rvm_track_inputs_is_covered (const GstRvmTrack * box, const GArray * tracks);

G_END_DECLS
