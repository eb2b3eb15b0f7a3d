/* The measure of the part "occlusion" of the suite, on features of a grid of cells. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint rows, columns, dim;
  guint top, bottom, left, right; /* cells from top to bottom - 1 and left to right - 1 were covered */
  int shift_x, shift_y;           /* what is in a cell is, in the second view, in the cell that is so many further left and up */
} RvmOcclusionGrid;

/* The share of the covered cells that are found: of the features of the second view, those nearest to theirs, as cosines of standardised features,
 * are of the right cell or of one of the eight around it. @covered, @view: (rows, columns, dim), which are standardised in place. */
double rvm_occlusion_measure (const RvmOcclusionGrid *grid, float *covered, float *view);

/* The share that would be found if the nearest cell were any of them. */
double rvm_occlusion_get_chance (const RvmOcclusionGrid *grid);

G_END_DECLS
