/* What label propagation compares beside features: the mean colour of a cell, and its place on the grid. Neither is learnt. Colours tell things apart that
 * features of a small model confuse, place prefers a match nearby.
 *
 * The similarity of two cells is the sum of three cosines with the weights 1 (features), `colours` and `place`. Colours are standardised over the cells of
 * a frame, like features, so that a change of light is none of the object. */
#pragma once

#include "propagate.h"

G_BEGIN_DECLS

#define RVM_APPEARANCE_FLOATS 7 /* of a cell: 3 of colours, 4 of place */

typedef struct {
  float colours, place; /* weights beside that of features, which is 1; 0 or more */
} RvmAppearance;

/* Floats beside features: rvm_propagation_new()'s setting `extra`. 0, as published, if both weights are 0. */
guint rvm_appearance_get_floats (const RvmAppearance *appearance);
/* The similarity of a cell to itself. */
float rvm_appearance_get_highest (const RvmAppearance *appearance);

/* Fills @beside (rows * columns, RVM_APPEARANCE_FLOATS) for rvm_propagation_push() from a picture, RGB (rows * patch, columns * patch, 3), without padding. @rgb
 * may be NULL: then colours are left out. */
void rvm_appearance_fill (const RvmAppearance *appearance, const guint8 *rgb, guint patch, guint rows, guint columns, float *beside);

G_END_DECLS
