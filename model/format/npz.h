/* .npz files: zip files of .npy arrays, through libzip. Arrays may be stored or deflated.
 *
 * An entry that cannot be used (a damaged header, two of one name, Fortran order) is an error when it is read, not when the file is opened. */
#pragma once

#include "format.h"
#include "npy.h"

G_BEGIN_DECLS

typedef struct _RvmNpz RvmNpz;

/* Opens @path and reads every header; no array data. Errors name the file. Entries that are not arrays are ignored. */
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

/* See RvmFormat. */
gboolean rvm_npz_write (const char *path, const RvmFormatContent *content, GError **error);

G_END_DECLS
