/* What a buffer gets from its tracks: GstRvmTrackMeta, regions of interest, and what GStreamer 1.24 and later knows of. */
#pragma once

#include "meta/gstrvmtrackmeta.h"
#include "video/view.h"

G_BEGIN_DECLS

/* Attaches @tracks (GstRvmTrack, fractions of the upright picture) and @mask (nullable, upright) to @buffer, whose picture is seen as @view says. The
 * track meta has places of the upright picture, everything else pixels of the stored one, which is what elements that know of no orientation draw
 * on. @features: those that they were followed with, on @buffer; @tracker: the element's name. */
void rvm_track_outputs_attach (GstBuffer * buffer, const GArray * tracks,
    GstBuffer * mask, const RvmView * view,
    const GstRvmFeatureMeta * features, const gchar * tracker);

G_END_DECLS
