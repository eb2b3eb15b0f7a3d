/* A weight file of either kind: opened, its model's sizes derived and checked, every array read as float32. */
#include "fuzz.h"

#include "model/config.h"

#define LARGE (1 << 18) /* values */

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmWeights) weights = rvm_weights_open (fuzz_file (data, size), &error);
  RvmConfig config;
  gboolean good;

  fuzz_check_error (weights != NULL, &error);
  if (weights == NULL)
    return 0;
  good = rvm_config_from_weights (&config, weights, &error);
  fuzz_check_error (good, &error);
  if (good) {
    fuzz_assert (rvm_config_validate (&config, NULL));
    fuzz_assert (rvm_config_count_parameters (&config, config.decoder.layers > 0) <= size); /* all are in the file, 2 bytes each or more */
  }
  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const RvmArray *array = rvm_weights_get_array (weights, i);
    g_autofree float *values = NULL;
    guint64 elements, bytes;

    fuzz_assert (rvm_array_get_size (array, &elements, &bytes));
    if (elements > LARGE)
      continue;
    values = g_new (float, elements);
    fuzz_check_error (rvm_weights_read (weights, array, values, &error), &error);
  }
  return 0;
}
