/* RvmTrackPicture: tracks with their trails, drawn by cairo. Belongs to one
 * stream. */
#pragma once

#include "meta/gstrvmtrackmeta.h"

G_BEGIN_DECLS

typedef struct _RvmTrackPicture RvmTrackPicture;

RvmTrackPicture *rvm_track_picture_new (void);
void rvm_track_picture_free (RvmTrackPicture * picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmTrackPicture, rvm_track_picture_free)

/* Draws the tracks of a frame of @width x @height pixels and where they were on
 * the frames before, into @bgra (premultiplied alpha), @width * 4 bytes a row. */
void rvm_track_picture_render (RvmTrackPicture * picture,
    const GstRvmTrackMeta * meta, guint width, guint height, guint8 * bgra);

G_END_DECLS
