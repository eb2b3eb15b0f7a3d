/* The .npy array format: header parsing and writing. Shared by .npz files, rvmexport and the tests.
 *
 * A header says what an array is; whether anybody can use it is for those to judge who need it. So every type that NumPy writes is understood
 * as far as its name, and order and size are noted, not refused. */
#pragma once

#include "array.h"
#include "kernels/error.h"

G_BEGIN_DECLS

/* Reads the header at the start of @data. On success fills @array (but its name) and @header_size.
 * RVM_ERROR_FORMAT for anything but a header as NumPy writes it; messages begin with @where. Whether the sizes fit is not looked at. */
gboolean rvm_npy_parse_header (const guint8 *data, gsize size, const char *where, RvmArray *array, gsize *header_size, GError **error);

/* A header of @pad_to bytes (0: the usual multiple of 64), so that a file being written can have its first dimension updated
 * in place. */
GBytes *rvm_npy_format_header (const RvmArray *array, gsize pad_to);

G_END_DECLS
