/* RvmOverlayPicture: what rvmoverlay lays over a picture. Belongs to one stream. */
#pragma once

#include <gst/video/video.h>

#include "feature_picture.h"
#include "meta/gstrvmtrackmeta.h"
#include "video/view.h"

G_BEGIN_DECLS

typedef struct
{
  RvmPictureSettings features;
  gdouble alpha;                /* opacity of the features' colours */
  gboolean tracks;              /* whether to draw them */
  guint trail;                  /* frames that a trail goes back */
  gboolean readouts;            /* whether to draw answers of readouts */
} RvmOverlaySettings;

typedef struct _RvmOverlayPicture RvmOverlayPicture;

/* @basis: (transfer full): see feature_picture.h. */
RvmOverlayPicture *rvm_overlay_picture_new (RvmFeatureBasis * basis);
void rvm_overlay_picture_free (RvmOverlayPicture * self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmOverlayPicture, rvm_overlay_picture_free)

/* Another video follows: nothing is compared with what was before. */
void rvm_overlay_picture_forget (RvmOverlayPicture * self);

/* What lies over a stored picture that is seen as @view says, with the features @meta and the @tracks, either of which may be NULL: upright and in
 * square pixels when the picture is shown; and the answers of readouts on @buffer. NULL with @error unset if there is nothing to show. */
GstVideoOverlayComposition *rvm_overlay_picture_compose (RvmOverlayPicture *
    self, const RvmOverlaySettings * settings, const RvmView * view,
    const GstRvmFeatureMeta * meta, const GstRvmTrackMeta * tracks,
    GstBuffer * buffer, GError ** error);

G_END_DECLS
