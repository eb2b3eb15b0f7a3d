/* The .npy array format: header parsing and writing. Shared by .npz files, rvmexport and the tests.
 *
 * The parser accepts every type that NumPy writes, any order and any size, and reports them. Whether an array can be used is decided by the code that
 * needs it. */
#pragma once

#include "array.h"
#include "kernels/error.h"

G_BEGIN_DECLS

/* Reads the header at the start of @data. On success fills in @array, except for its name, and @header_size. RVM_ERROR_FORMAT for anything that is
 * not a header as NumPy writes it; messages begin with @where. Sizes are not checked. */
gboolean rvm_npy_parse_header (const guint8 *data, gsize size, const char *where, RvmArray *array, gsize *header_size, GError **error);

/* (transfer full): a header of @pad_to bytes (0: the usual multiple of 64). A fixed size lets a file that is being written have its first dimension
 * updated in place. */
GBytes *rvm_npy_format_header (const RvmArray *array, gsize pad_to);

G_END_DECLS
