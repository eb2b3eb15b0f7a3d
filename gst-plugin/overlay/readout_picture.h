/* Answers of readouts, drawn by cairo: probabilities as bars, maps as colours. Nothing is kept from frame to frame. */
#pragma once

#include <cairo.h>

#include "meta/gstrvmreadout.h"

G_BEGIN_DECLS

/* Lays maps of depths and labels on @buffer over a picture of @width x @height: near is warm and far is cool, from the nearest to the farthest place of the
 * frame; each label has a colour, the stronger the surer. */
void rvm_readout_picture_draw_maps (cairo_t * cr, GstBuffer * buffer, guint width, guint height);
/* Lists classes and distances in the lower left corner, the readouts one above the other, as they follow each other in the pipeline. The class of an event
 * that goes on stands out. */
void rvm_readout_picture_draw_lists (cairo_t * cr, GstBuffer * buffer, guint width, guint height);

G_END_DECLS
