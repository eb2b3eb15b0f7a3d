/* Pooled states in order: the vector that a linear classifier reads of a window of states. Shared by the linear network of readouts and by
 * the trainer that makes them.
 *
 *   pooled   each token normalised over its channels, then means over the cells of a grid of cells x cells; the class token is left out
 *   tokens   the mean of all, in the place of the class token, then the pooled state: what an attention network with few tokens reads
 *   vector   the window, less its reference, resampled in time to a fixed number of slots, the oldest state first
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

/* @states: @n of @values values each, the oldest first. @vector: (slots, values). */
void rvm_pooled_vector (const float *const *states, guint n, gsize values, guint slots, RvmReadoutReference reference, float *vector);

G_END_DECLS
