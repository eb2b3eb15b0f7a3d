/* RvmWeights: the named arrays of a weight file, .npz or .safetensors (told apart by content, not by name).
 *
 * Opening reads headers only, and judges no array: a file may hold others than those that a model needs, of any type (a step, a random key, a
 * name), and they are listed and left alone. Values are read one array at a time, as float32, so that a model can be packed for its device
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
const RvmArray *rvm_weights_get_array (const RvmWeights *weights, guint index); /* of any dtype */
const RvmArray *rvm_weights_find (const RvmWeights *weights, const char *name);
GHashTable *rvm_weights_get_metadata (const RvmWeights *weights);

/* Whether the values of @array can be read, which takes F32, F16, BF16 or F64, and whether it has the shape of @expected (nullable).
 * RVM_ERROR_FORMAT, or RVM_ERROR_MODEL for another shape; messages name file, array, what was found and what was expected. */
gboolean rvm_weights_check (const RvmWeights *weights, const RvmArray *array, const RvmArray *expected, GError **error);
/* All values of @array as float32 into @values (as many as the array has elements). Errors of rvm_weights_check(); a NaN or infinity, or a
 * double that float32 has no room for, is RVM_ERROR_MODEL. */
gboolean rvm_weights_read (RvmWeights *weights, const RvmArray *array, float *values, GError **error);

/* Called for each array in turn when a file is written; fills @values. */
typedef gboolean (*RvmWeightsSource) (const RvmArray *array, float *values, gpointer user_data, GError **error);

/* Writes @arrays (names, shapes, and the dtype to store: F32, F16 or BF16; npz: F32 and F16) to @path, npz or safetensors by its
 * ending, as a temporary file that is renamed when it is complete and could be opened again. @metadata: (nullable) string -> string,
 * safetensors only (npz drops it); what is not UTF-8 in it is escaped (kernels/text.h). */
gboolean rvm_weights_save (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, gpointer user_data,
    GHashTable *metadata, GError **error);

/* Looks at what was written, under its temporary name, before it replaces anything. */
typedef gboolean (*RvmWeightsCheck) (RvmWeights *weights, gpointer user_data, GError **error);
gboolean rvm_weights_save_checked (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, RvmWeightsCheck check,
    gpointer user_data, GHashTable *metadata, GError **error);

G_END_DECLS
