/* RvmWeights: the named arrays of a weight file of any format (format.h), which is recognised by its content, not by its name.
 *
 * Opening a file reads its headers only, and accepts any array: besides those that a model needs, a file may hold others of any type (a step, a
 * random key, a name), which are listed and otherwise ignored. Values are read one array at a time, as float32, so that a model can be packed for its
 * device without a second copy of all weights in memory. Not thread-safe. */
#pragma once

#include "format.h"
#include "kernels/error.h"

G_BEGIN_DECLS

typedef struct _RvmWeights RvmWeights;

RvmWeights *rvm_weights_open (const char *path, GError **error);
void rvm_weights_free (RvmWeights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmWeights, rvm_weights_free)

const char *rvm_weights_get_path (const RvmWeights *weights);
const char *rvm_weights_get_format (const RvmWeights *weights); /* "safetensors" */
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

/* The format of a file to be written, by the end of its name. RVM_ERROR_ARGUMENT, naming the endings that are known. */
const RvmFormat *rvm_weights_find_format (const char *path, GError **error);

/* Writes @arrays to @path: their names, their shapes, and their values in the given types (see RvmFormat.dtypes; RVM_ERROR_ARGUMENT for another). The
 * end of the name says the format. The file is written under a temporary name, and renamed when it is complete and could be opened again.
 * @metadata: (nullable) string -> string. npz files have none. Text in it that is not UTF-8 is escaped (kernels/text.h). */
gboolean rvm_weights_save (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, gpointer user_data,
    GHashTable *metadata, GError **error);

/* Checks what was written, still under its temporary name. FALSE keeps it from replacing @path. */
typedef gboolean (*RvmWeightsCheck) (RvmWeights *weights, gpointer user_data, GError **error);
gboolean rvm_weights_save_checked (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, RvmWeightsCheck check,
    gpointer user_data, GHashTable *metadata, GError **error);

G_END_DECLS
