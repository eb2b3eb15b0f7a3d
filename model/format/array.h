/* RvmArray: name, type and shape of one array of a file of any format, without its values. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_MAX_DIMS 64    /* NumPy's own limit */
#define RVM_MAX_DTYPE_NAME 32 /* bytes with the terminating 0; longer names are cut */

typedef enum {
  RVM_DTYPE_F32,
  RVM_DTYPE_F16,
  RVM_DTYPE_BF16,
  RVM_DTYPE_F64,
  RVM_DTYPE_U8,
  RVM_DTYPE_BOOL,
  RVM_DTYPE_I32,
  RVM_DTYPE_I64,
  RVM_DTYPE_OTHER, /* any other type: RvmArray.other is its name, and its values are never read */
} RvmDType;

gsize rvm_dtype_get_size (RvmDType dtype);        /* bytes of one element; 0 for RVM_DTYPE_OTHER */
const char *rvm_dtype_get_name (RvmDType dtype);  /* "F32": safetensors' names */

/* Name, type and shape of an array. */
typedef struct {
  char *name;
  RvmDType dtype;
  char other[RVM_MAX_DTYPE_NAME]; /* RVM_DTYPE_OTHER: what the file calls it, "<U5"; printable ASCII */
  gboolean fortran;               /* npy: in Fortran order, which differs from C order for this shape */
  guint n_dims;
  guint64 dims[RVM_MAX_DIMS];
} RvmArray;

const char *rvm_array_get_dtype_name (const RvmArray *array); /* as rvm_dtype_get_name(), or the file's name of another type */
/* Sets @array->dtype to RVM_DTYPE_OTHER, and its name to the first @length bytes of @name. */
void rvm_array_set_other_dtype (RvmArray *array, const char *name, gsize length);

/* Elements and bytes (0 for RVM_DTYPE_OTHER); FALSE if the product does not fit (untrusted shapes). */
gboolean rvm_array_get_size (const RvmArray *array, guint64 *elements, guint64 *bytes);
char *rvm_array_format_shape (const RvmArray *array); /* "(3, 4)" */
void rvm_array_clear (RvmArray *array);

G_END_DECLS
