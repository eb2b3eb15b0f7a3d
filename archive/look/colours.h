/* Histograms of colours: what of a picture is described without any model. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum { RVM_COLOUR_LEVELS = 8, RVM_COLOURS = RVM_COLOUR_LEVELS * RVM_COLOUR_LEVELS * RVM_COLOUR_LEVELS };

/* @bins[RVM_COLOURS]: the root of the share of the pixels in each cell of the RGB cube, so that the scalar product of two histograms is their
 * Bhattacharyya coefficient. @pixels: RGB, @n of them; with @weights (nullable), each counts as much as its weight. */
void rvm_colours_measure (const guint8 *pixels, gsize n, const float *weights, float *bins);

G_END_DECLS
