/* Random initial weights (model.md 4): MLP layers Xavier uniform; attention projections, gates, embedders, detokenizer and patch embedding
 * LeCun normal; class and mask token normal of deviation 0.02; biases 0, scales 1. With `core-residual`, `update-gate` and `position-scale` a
 * recipe can make the core's initial output close to that of the encoder. */
#pragma once

#include "model/format/weights.h"
#include "model/model_private.h"
#include "model/readout/readout_private.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

/* Fills @values of @array. They depend on @recipe and the array's name only, not on the order of arrays. */
void rvm_initialise_array (const RvmArray *array, const RvmRecipe *recipe, float *values);

/* The factor of the positional encoding, for given weights too. The encoder normalises its tokens before each use, so scaling all that is added to
 * the encoding by 1 / @scale is the same as scaling the encoding by @scale. */
void rvm_initialise_weigh_position (const RvmArray *array, double scale, float *values);

extern const RvmSite rvm_initialise_update_gate;       /* the layer of the core's update gate that reads the encoder's output */
extern const RvmSite rvm_initialise_update_gate_state; /* the one that reads the state */
extern const RvmSite rvm_initialise_encoder_norm;      /* the layer norm at the end of the encoder */

/* Adds @shift to what the update gate takes the sigmoid of, in all channels of all patches. @kernel: (dim, dim), of the layer that reads the encoder's
 * output. @scale, @bias: (dim), of the encoder's last layer norm. Returns FALSE, and changes nothing, if a scale or the sum of bias / scale is 0. */
gboolean rvm_initialise_shift_gate (const float *scale, const float *bias, guint dim, double shift, float *kernel);

/* The same, with the scales and biases of @weights. RVM_ERROR_ARGUMENT if they leave no shift. */
gboolean rvm_initialise_shift_gate_of (RvmWeights *weights, guint dim, double shift, float *kernel, GError **error);

/* A weight file (.npz or .safetensors) of the recipe's network. */
gboolean rvm_initialise_file (const char *path, const RvmRecipe *recipe, GError **error);

/* A model with the published initialisation and seed 0, without keeping a file. @trainable: as rvm_model_load_trainable(). */
RvmModel *rvm_initialise_model (const RvmConfig *config, const RvmModelOptions *options, gboolean trainable, GError **error);

/* Writes an attention readout (kind class or dense) of random weights: linear layers as above, queries and temporal code normal of deviation 0.02.
 * Safetensors. RVM_ERROR_ARGUMENT for sizes that cannot work. */
gboolean rvm_initialise_readout (const char *path, const RvmReadoutInfo *info, const RvmAttentionReadoutConfig *config, guint64 seed, GError **error);

/* The same, loaded by rvm_readout_load_trainable(), without keeping a file. RVM_ERROR_FILE (no place for a temporary file), _ARGUMENT, _MEMORY, _DEVICE. */
RvmReadout *rvm_initialise_trainable_readout (const RvmReadoutInfo *info, const RvmAttentionReadoutConfig *config, guint64 seed, RvmDevice *device,
    GError **error);

G_END_DECLS
