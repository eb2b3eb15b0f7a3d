/* The header of an .npy array: what is accepted can be written and reads back the same. */
#include "fuzz.h"

#include <string.h>

#include "model/npy.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) written = NULL;
  RvmArray array = { 0 }, again = { 0 };
  gsize header = 0, second = 0, length;
  guint64 elements, bytes;
  const gboolean good = rvm_npy_parse_header (data, size, "input", &array, &header, &error);
  const guint8 *text;

  fuzz_check_error (good, &error);
  if (!good)
    return 0;
  fuzz_assert (header <= size && array.n_dims <= RVM_MAX_DIMS && rvm_array_get_size (&array, &elements, &bytes));
  written = rvm_npy_format_header (&array, 0);
  text = g_bytes_get_data (written, &length);
  fuzz_assert (rvm_npy_parse_header (text, length, "written", &again, &second, &error));
  fuzz_assert (second == length && again.dtype == array.dtype && again.n_dims == array.n_dims
      && memcmp (again.dims, array.dims, array.n_dims * sizeof array.dims[0]) == 0);
  return 0;
}
