/* A .safetensors file: opened, and every array read. */
#define _GNU_SOURCE /* memrchr() */
#include "fuzz.h"

#include <string.h>

#include "model/safetensors.h"

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

    fuzz_assert (rvm_array_get_size (array, &elements, &bytes) && bytes <= size);
    values = g_malloc (bytes);
    fuzz_check_error (rvm_safetensors_read (file, array, values, bytes, &error), &error);
    total += bytes;
  }
  fuzz_assert (file == NULL || total < size);
  return 0;
}

#ifdef RVM_LIBFUZZER
gsize LLVMFuzzerCustomMutator (guint8 *data, gsize size, gsize max_size, unsigned int seed);
gsize LLVMFuzzerMutate (guint8 *data, gsize size, gsize max_size);

/* In three of four inputs the length in front of the header is that of the text up to the last bracket: else nearly all would end there. */
gsize
LLVMFuzzerCustomMutator (guint8 *data, gsize size, gsize max_size, unsigned int seed)
{
  const guint8 *close;
  guint64 length;

  size = LLVMFuzzerMutate (data, size, max_size);
  close = size > 8 ? memrchr (data + 8, '}', size - 8) : NULL;
  if (close == NULL || seed % 4 == 0)
    return size;
  length = GUINT64_TO_LE ((guint64) (close + 1 - (data + 8)));
  memcpy (data, &length, sizeof length);
  return size;
}
#endif
