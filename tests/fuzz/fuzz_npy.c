/* The header of an .npy array: what is of a type of ours can be written and reads back the same; the name of another is text. */
#include "fuzz.h"

#include <string.h>

#include "model/format/npy.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) written = NULL;
  RvmArray array = { 0 }, again = { 0 };
  gsize header = 0, second = 0, length;
  const gboolean good = rvm_npy_parse_header (data, size, "input", &array, &header, &error);
  const guint8 *text;

  fuzz_check_error (good, &error);
  if (!good)
    return 0;
  fuzz_assert (header <= size && array.n_dims <= RVM_MAX_DIMS && !(array.fortran && array.n_dims < 2));
  if (array.dtype == RVM_DTYPE_OTHER) {
    fuzz_assert (memchr (array.other, '\0', sizeof array.other) && g_str_is_ascii (rvm_array_get_dtype_name (&array)));
    return 0;
  }
  written = rvm_npy_format_header (&array, 0);
  text = g_bytes_get_data (written, &length);
  fuzz_assert (rvm_npy_parse_header (text, length, "written", &again, &second, &error));
  fuzz_assert (second == length && again.dtype == array.dtype && again.n_dims == array.n_dims
      && memcmp (again.dims, array.dims, array.n_dims * sizeof array.dims[0]) == 0);
  return 0;
}
