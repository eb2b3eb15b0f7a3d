/* The .npy array format, version 1.0: header parsing and writing. Shared by .npz files, rvmexport and the tests. */
#pragma once

#include <glib.h>

#include "kernels/error.h"

G_BEGIN_DECLS

#define RVM_MAX_DIMS 8

typedef enum {
  RVM_DTYPE_F32,
  RVM_DTYPE_F16,
  RVM_DTYPE_BF16, /* safetensors only */
  RVM_DTYPE_F64,
  RVM_DTYPE_U8,
  RVM_DTYPE_BOOL,
  RVM_DTYPE_I32,
  RVM_DTYPE_I64,
} RvmDType;

gsize rvm_dtype_get_size (RvmDType dtype);        /* bytes of one element */
const char *rvm_dtype_get_name (RvmDType dtype);  /* "F32": safetensors' names */

/* Name, type and shape of an array. */
typedef struct {
  char *name;
  RvmDType dtype;
  guint n_dims;
  guint64 dims[RVM_MAX_DIMS];
} RvmArray;

/* Elements and bytes; FALSE if the product does not fit (untrusted shapes). */
gboolean rvm_array_get_size (const RvmArray *array, guint64 *elements, guint64 *bytes);
char *rvm_array_format_shape (const RvmArray *array); /* "(3, 4)" */
void rvm_array_clear (RvmArray *array);

/* Reads the header at the start of @data. On success fills @array (but its name) and @header_size.
 * RVM_ERROR_FORMAT for anything but a little-endian, C-order array of a type above; messages begin with @where. */
gboolean rvm_npy_parse_header (const guint8 *data, gsize size, const char *where, RvmArray *array, gsize *header_size, GError **error);

/* A header of @pad_to bytes (0: the usual multiple of 64), so that a file being written can have its first dimension updated
 * in place. */
GBytes *rvm_npy_format_header (const RvmArray *array, gsize pad_to);

G_END_DECLS
