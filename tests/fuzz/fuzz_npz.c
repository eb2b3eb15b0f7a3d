/* An .npz file: opened, and every array read that is not large; what is said to be sound has a size. */
#include "fuzz.h"

#include "model/format/npz.h"

#define LARGE (1 << 20) /* bytes: a zip may promise more than it holds */

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmNpz) npz = rvm_npz_open (fuzz_file (data, size), &error);

  fuzz_check_error (npz != NULL, &error);
  for (guint i = 0; npz && i < rvm_npz_get_n_arrays (npz); i++) {
    const RvmArray *array = rvm_npz_get_array (npz, i);
    g_autofree guint8 *values = NULL;
    guint64 elements, bytes;

    const gboolean sound = rvm_npz_check (npz, array, &error);

    fuzz_check_error (sound, &error);
    /* Of two of one name neither is sound. */
    fuzz_assert (rvm_npz_find (npz, array->name) == array || !sound);
    if (!rvm_array_get_size (array, &elements, &bytes)) {
      fuzz_assert (!sound || array->dtype == RVM_DTYPE_OTHER);
      bytes = 0;
    }
    if (bytes > LARGE)
      continue;
    values = g_malloc (bytes);
    fuzz_check_error (rvm_npz_read (npz, array, values, bytes, &error), &error);
  }
  return 0;
}
