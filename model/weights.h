/* RvmWeights: the named arrays of a weight file, .npz or .safetensors (told apart by content, not by name).
 *
 * Opening reads headers only. Values are read one array at a time, as float32, so that a model can be packed for its device
 * without a second copy of all weights in memory. Not thread-safe. */
#pragma once

#include "npy.h"

G_BEGIN_DECLS

typedef struct _RvmWeights RvmWeights;

RvmWeights *rvm_weights_open (const char *path, GError **error);
void rvm_weights_free (RvmWeights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmWeights, rvm_weights_free)

const char *rvm_weights_get_path (const RvmWeights *weights);
const char *rvm_weights_get_format (const RvmWeights *weights); /* "npz" or "safetensors" */
guint rvm_weights_get_n_arrays (const RvmWeights *weights);
const RvmArray *rvm_weights_get_array (const RvmWeights *weights, guint index); /* F32, F16 or BF16 */
const RvmArray *rvm_weights_find (const RvmWeights *weights, const char *name);
GHashTable *rvm_weights_get_metadata (const RvmWeights *weights);

/* All values of @array as float32 into @values (as many as the array has elements). A NaN or infinity is RVM_ERROR_MODEL. */
gboolean rvm_weights_read (RvmWeights *weights, const RvmArray *array, float *values, GError **error);

/* Called for each array in turn when a file is written; fills @values. */
typedef gboolean (*RvmWeightsSource) (const RvmArray *array, float *values, gpointer user_data, GError **error);

/* Writes @arrays (names, shapes, and the dtype to store: F32, F16 or BF16; npz: F32 and F16) to @path, npz or safetensors by its
 * ending, as a temporary file that is renamed when complete. @metadata: (nullable) string -> string, safetensors only (npz drops it). */
gboolean rvm_weights_save (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, gpointer user_data,
    GHashTable *metadata, GError **error);

G_END_DECLS
