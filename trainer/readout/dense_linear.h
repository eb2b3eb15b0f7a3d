/* Linear networks of dense readouts (model/readout/patches.h) in closed form: ridge regression of the logarithm of depth, or Fisher's discriminants of labels.
 *
 *   moments = rvm_dense_moments_new (&shape, &error);
 *   for each picture: rvm_dense_moments_add (moments, state, map, weight);
 *   linear = rvm_dense_linear_solve (moments, ridge, prior, &error);
 *   rvm_dense_linear_answer (linear, state, values);
 *
 * Solving is quick, so that many penalties can be tried with the same moments. */
#pragma once

#include "model/readout/patches.h"

G_BEGIN_DECLS

typedef struct {
  guint rows, columns, dim;     /* of the grid of patches; channels of a patch */
  guint block, channels;        /* places along a side of a patch; values of each */
  gboolean depth;               /* one channel, of logarithms of metres; otherwise a channel for each label, of shares */
} RvmDenseShape;

/* Sums of products over all cells of pictures. */
typedef struct _RvmDenseMoments RvmDenseMoments;

/* RVM_ERROR_MEMORY. */
RvmDenseMoments *rvm_dense_moments_new (const RvmDenseShape *shape, GError **error);
void rvm_dense_moments_free (RvmDenseMoments *moments);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseMoments, rvm_dense_moments_free)

/* @state: (1 + rows * columns, dim). @map, @weight: (rows * block, columns * block, channels) and (rows * block, columns * block), as
 * rvm_target_map_divide() makes them: a place of weight 0 does not count. */
void rvm_dense_moments_add (RvmDenseMoments *moments, const float *state, const float *map, const float *weight);
guint rvm_dense_moments_count_inputs (const RvmDenseMoments *moments); /* that a kernel has */
/* Adds all that @more has seen, of the same shape. */
void rvm_dense_moments_add_all (RvmDenseMoments *moments, const RvmDenseMoments *more);

typedef struct {
  RvmDenseShape shape;
  RvmPatchNetwork *network; /* outputs of a cell: block * block * channels */
  RvmPatchGrid *grid;
} RvmDenseLinear;

/* @ridge: in units of the variance of an input. @prior: power of the labels' shares that their probabilities are multiplied by: 0, all labels are as
 * likely, 1, as they are in the pictures. RVM_ERROR_MEMORY. */
RvmDenseLinear *rvm_dense_linear_solve (const RvmDenseMoments *moments, double ridge, double prior, GError **error);
void rvm_dense_linear_free (RvmDenseLinear *linear);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseLinear, rvm_dense_linear_free)

/* @values: (rows * block, columns * block, channels): probabilities of labels, or metres. */
void rvm_dense_linear_answer (RvmDenseLinear *linear, const float *state, float *values);

G_END_DECLS
