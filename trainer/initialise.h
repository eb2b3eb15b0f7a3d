/* Random initial weights (model.md 4): MLP layers Xavier uniform; attention projections, gates, embedders, detokenizer and patch embedding
 * LeCun normal; class and mask token normal of deviation 0.02; biases 0, scales 1. */
#pragma once

#include "model/npy.h"

G_BEGIN_DECLS

/* Fills @values of @array. They depend on @seed and the array's name only, not on the order of arrays. */
void rvm_initialise_array (const RvmArray *array, guint64 seed, float *values);

G_END_DECLS
