/* Reading .npz files: a zip of .npy arrays, stored or deflated, through libzip.
 *
 * An entry that cannot be used (a damaged header, two of one name, Fortran order) is an error for those who read it, not for the file. */
#pragma once

#include "format.h"
#include "npy.h"

G_BEGIN_DECLS

extern const RvmFormat rvm_format_npz;

typedef struct _RvmNpz RvmNpz;

/* Opens @path and reads every header; no array data. Errors name the file. Entries that are no arrays are passed over. */
RvmNpz *rvm_npz_open (const char *path, GError **error);
void rvm_npz_free (RvmNpz *npz);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmNpz, rvm_npz_free)

guint rvm_npz_get_n_arrays (const RvmNpz *npz);
const RvmArray *rvm_npz_get_array (const RvmNpz *npz, guint index); /* names without ".npy" */
const RvmArray *rvm_npz_find (const RvmNpz *npz, const char *name);
/* FALSE, with an error that names file and array, if its values cannot be read in C order for another reason than their dtype. */
gboolean rvm_npz_check (const RvmNpz *npz, const RvmArray *array, GError **error);
/* The array's bytes, as stored, into @data of exactly @size bytes. */
gboolean rvm_npz_read (RvmNpz *npz, const RvmArray *array, gpointer data, gsize size, GError **error);

G_END_DECLS
