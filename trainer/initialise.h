/* Random initial weights (model.md 4): MLP layers Xavier uniform; attention projections, gates, embedders, detokenizer and patch embedding
 * LeCun normal; class and mask token normal of deviation 0.02; biases 0, scales 1. */
#pragma once

#include "model/model_private.h"
#include "model/weights.h"

G_BEGIN_DECLS

/* Fills @values of @array. They depend on @seed and the array's name only, not on the order of arrays. */
void rvm_initialise_array (const RvmArray *array, guint64 seed, float *values);

/* A weight file (.npz or .safetensors) of a whole network. */
gboolean rvm_initialise_file (const char *path, const RvmConfig *config, gint64 seed, GError **error);

/* The same without a file that stays. @trainable: as rvm_model_load_trainable(). */
RvmModel *rvm_initialise_model (const RvmConfig *config, const RvmModelOptions *options, gboolean trainable, GError **error);

G_END_DECLS
