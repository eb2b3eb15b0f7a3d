/* RvmTracker: points, boxes and masks of one video, followed by label propagation on the features of its frames. Places are fractions of the picture
 * here; the element knows pixels. A track whose confidence falls below a limit is lost: it keeps its last place, is not visible, and what was taken
 * for it is not followed: it is found again by what it looked like on its first frame and while it was visible. Belongs to the streaming
 * thread. */
#pragma once

#include "video/mask_png.h"
#include "meta/gstrvmtrackmeta.h"
#include "model/appearance.h"
#include "model/confidence.h"
#include "model/propagate.h"
#include "model/refine.h"
#include "video/view.h"

G_BEGIN_DECLS

typedef struct _RvmTracker RvmTracker;

#define RVM_TRACKER_LIMIT 4096  /* tracks at once */

/* Keeps a reference to @device. @appearance: of what rvm_tracker_push() gets beside features. @limits: with lost_below 0, tracks are visible as long as anything is labelled. */
RvmTracker *rvm_tracker_new (RvmDevice * device,
    const RvmPropagationSettings * settings, const RvmAppearance * appearance, const RvmConfidenceLimits * limits, guint limit);
/* How far, in cells, edges of masks follow the picture (model/refine.h); 0, as at first: not at all. */
void rvm_tracker_set_refine (RvmTracker * tracker, gdouble cells);
/* Whether the next push draws masks whose edges follow the picture. */
gboolean rvm_tracker_wants_picture (const RvmTracker * tracker);
/* While playing: from the next push on. */
void rvm_tracker_set_limits (RvmTracker * tracker, const RvmConfidenceLimits * limits);
void rvm_tracker_free (RvmTracker * tracker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmTracker, rvm_tracker_free)

/* Forgets all frames and all tracks. */
void rvm_tracker_reset (RvmTracker * tracker);

/* The picture from the next push on: masks are drawn in the pixels of the upright one. */
void rvm_tracker_set_picture (RvmTracker * tracker, const RvmView * view);

/* Whether the frame of @meta has the grid of the frames before. */
gboolean rvm_tracker_fits (const RvmTracker * tracker,
    const GstRvmFeatureMeta * meta);

typedef struct
{
  const GstRvmFeatureMeta *meta;        /* has patches */
  const gfloat *beside;         /* as of rvm_propagation_push() */
  const guint8 *rgb;            /* the small picture (track_appearance.h), or NULL: edges of masks then follow nothing, and nothing is taken for covered */
  GstClockTime pts;
} RvmTrackerFrame;

/* Follows all tracks to @frame. A grid that does not fit resets first. */
gboolean rvm_tracker_push (RvmTracker * tracker, const RvmTrackerFrame * frame, GError ** error);

/* Starts tracks on the frame pushed last; their ids and places are set by the
 * caller, fractions of the picture. RVM_ERROR_ARGUMENT beyond the limit. */
gboolean rvm_tracker_add (RvmTracker * tracker, const GstRvmTrack * tracks,
    guint n_tracks, GError ** error);
/* The same for the objects of @mask, one track for each of its values, in their
 * order. Its size must be that of the upright picture, in its own pixels or in
 * square ones. */
gboolean rvm_tracker_add_mask (RvmTracker * tracker, const RvmMask * mask,
    const GstRvmTrack * tracks, GError ** error);
gboolean rvm_tracker_remove (RvmTracker * tracker, guint id);

/* (element-type GstRvmTrack) by id, as of the last frame. */
const GArray *rvm_tracker_get_tracks (const RvmTracker * tracker);
/* (transfer none) (nullable) The masks of the last frame, as GstRvmTrackMeta has
 * them; not written again. */
GstBuffer *rvm_tracker_get_mask (const RvmTracker * tracker);

G_END_DECLS
