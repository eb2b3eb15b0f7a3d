/* From places to label maps of a group of tracks, and back. Maps are those of model/labels.h: float32 (rows * columns, channels), channel
 * 1 + i belongs to the i-th track of the group. Places are fractions of the picture. */
#pragma once

#include "meta/gstrvmtrackmeta.h"
#include "model/confidence.h"
#include "video/mask_png.h"

G_BEGIN_DECLS

typedef struct
{
  guint rows, columns, channels;
  const gfloat *labels;
} RvmTrackMap;

/* A track as it was on its first frame, and as its labels were read there: what a reading loses (a point's place within its cell, the
 * border of a box) is the same on all frames, and is given back. */
typedef struct
{
  guint id;                     /* 0: removed */
  guint8 value;                 /* of a mask's pixels */
  gdouble dx, dy;               /* fractions: from the reading to the place */
  gdouble width, height;        /* fractions: the box as it was given */
  gdouble across, along;        /* cells: deviations of its labels */
  gdouble highest;              /* of its labels */
  RvmConfidence confidence;     /* belongs to the tracker */
} RvmTrackAnchor;

/* Fills @labels (rows * columns, 1 + n): of a point a small Gaussian, of a box the share of each cell that the ellipse in it
 * covers. */
void rvm_track_places_label (GstRvmTrackKind kind, const GstRvmTrack * tracks,
    guint n, guint rows, guint columns, gfloat * labels);

/* Measures @anchor of @track from channel @channel of its first labels. */
void rvm_track_places_anchor (const RvmTrackMap * map, guint channel,
    const GstRvmTrack * track, RvmTrackAnchor * anchor);

/* Updates place and visible of a point or box. */
void rvm_track_places_read (const RvmTrackMap * map, guint channel,
    const RvmTrackAnchor * anchor, GstRvmTrack * track);

/* Draws the objects of a group of masks into @pixels (@height, @width), over what is there, and updates place and visible of
 * @tracks (one for each anchor; NULL where it was removed). */
void rvm_track_places_draw (const RvmTrackMap * map, const RvmTrackAnchor * anchors,
    GstRvmTrack ** tracks, guint8 * pixels, guint width, guint height);

/* The objects of @mask as values 1, 2, ..., (height, width), in the order of its values; sets boxes and mask values of @tracks, one for each. (transfer full) */
guint8 *rvm_track_places_number_objects (const RvmMask * mask, GstRvmTrack * tracks);

G_END_DECLS
