/* What a buffer gets from its tracks: GstRvmTrackMeta, regions of interest, and what GStreamer 1.24 and later knows of. */
#pragma once

#include "meta/gstrvmtrackmeta.h"

G_BEGIN_DECLS

/* Attaches @tracks (GstRvmTrack, fractions of the picture of @width x @height pixels) and @mask (nullable) to @buffer. @features: those that
 * they were followed with, on @buffer; @tracker: the element's name. */
void rvm_track_outputs_attach (GstBuffer * buffer, const GArray * tracks,
    GstBuffer * mask, guint width, guint height,
    const GstRvmFeatureMeta * features, const gchar * tracker);

G_END_DECLS
