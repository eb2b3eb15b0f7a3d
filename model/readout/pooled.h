/* Pooled states in order: the vector that a linear classifier reads of a window of states. Shared by the linear network of readouts and by
 * the trainer that makes them.
 *
 *   pooled   each token normalised over its channels, then means over the cells of a grid of cells x cells; the class token is left out
 *   tokens   the mean of all, in the place of the class token, then the pooled state: what an attention network with few tokens reads
 *   vector   the window, less its reference, resampled in time to a fixed number of slots, the oldest state first
 *   change   how far each cell is from the state before, as the root of the mean square over channels; the oldest state has what the second has
 *   travel   how far each cell is from the oldest state, measured in the same way
 *
 * Change and travel are resampled as the states are. They say where and when something moves, whatever it looks like, and so are alike in places that
 * look different.
 *
 * A clip that is done slowly and one that is done fast give vectors of one size, and a window that is not full yet is as good as a short
 * clip. */
#pragma once

#include "info.h"

G_BEGIN_DECLS

/* @features: (1 + rows * columns, dim), row 0 the class token. @pooled: (cells, cells, dim). A grid of fewer than @cells rows or columns
 * repeats them. */
void rvm_pooled_state (const float *features, guint rows, guint columns, guint dim, guint cells, float *pooled);

/* @tokens: (1 + cells * cells, dim). */
void rvm_pooled_tokens (const float *features, guint rows, guint columns, guint dim, guint cells, float *tokens);

/* What a vector is made of. */
typedef struct {
  guint cells; /* in all, not along a side */
  guint dim;   /* values of a cell */
  guint slots;
  RvmReadoutReference reference;
  gboolean changes; /* change and travel follow the window */
} RvmPooledShape;

/* Values of the window alone, and, if there are changes, of change or travel, which have as many. */
gsize rvm_pooled_count_window (const RvmPooledShape *shape);
gsize rvm_pooled_count_changes (const RvmPooledShape *shape);

/* @states: @n of (cells, dim), the oldest first. @vector: the window (slots, cells, dim), and, if there are changes, change and travel,
 * (slots, cells) each. */
void rvm_pooled_vector (const float *const *states, guint n, const RvmPooledShape *shape, float *vector);

G_END_DECLS
