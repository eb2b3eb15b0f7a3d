/* A .safetensors file: opened, and every array read. */
#include "fuzz.h"

#include "model/format/safetensors.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmSafetensors) file = rvm_safetensors_open (fuzz_file (data, size), &error);
  guint64 total = 0;

  fuzz_check_error (file != NULL, &error);
  for (guint i = 0; file && i < rvm_safetensors_get_n_arrays (file); i++) {
    const RvmArray *array = rvm_safetensors_get_array (file, i);
    g_autofree guint8 *values = NULL;
    guint64 elements, bytes;

    if (array->dtype == RVM_DTYPE_OTHER) {
      fuzz_check_error (rvm_safetensors_read (file, array, NULL, 0, &error), &error);
      continue;
    }
    fuzz_assert (rvm_array_get_size (array, &elements, &bytes) && bytes <= size);
    values = g_malloc (bytes);
    fuzz_check_error (rvm_safetensors_read (file, array, values, bytes, &error), &error);
    total += bytes;
  }
  fuzz_assert (file == NULL || total < size);
  return 0;
}
