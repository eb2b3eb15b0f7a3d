/* RvmTrackPicture: tracks with their trails, drawn by cairo. Belongs to one
 * stream. */
#pragma once

#include <cairo.h>

#include "meta/gstrvmtrackmeta.h"

G_BEGIN_DECLS

typedef struct _RvmTrackPicture RvmTrackPicture;

RvmTrackPicture *rvm_track_picture_new (void);
void rvm_track_picture_free (RvmTrackPicture * picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmTrackPicture, rvm_track_picture_free)

/* Another video follows: trails end. */
void rvm_track_picture_forget (RvmTrackPicture * picture);

/* Draws the tracks of a frame, whose places are pixels of a picture of @across x
 * @along, on a picture of @width x @height, and where they were on the @trail
 * analysed frames before. Tracks of another rvmtrack or of another source of features
 * have trails of their own. */
void rvm_track_picture_draw (RvmTrackPicture * picture, cairo_t * cr,
    const GstRvmTrackMeta * meta, guint across, guint along, guint width,
    guint height, guint trail);
/* Pixels in which the widths of lines and the sizes of letters are given, on a picture of @height pixels. */
gdouble rvm_track_picture_get_unit (guint height);
/* Marks a point, pixels. */
void rvm_track_picture_draw_mark (cairo_t * cr, gdouble x, gdouble y,
    guint height);

G_END_DECLS
