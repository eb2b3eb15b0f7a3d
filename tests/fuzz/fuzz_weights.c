/* A weight file of either kind: opened, its model's sizes derived and checked, with the decoder and without, every array read as float32. */
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
  good = rvm_config_from_weights (&config, weights, TRUE, &error);
  fuzz_check_error (good, &error);
  if (good) {
    fuzz_assert (rvm_config_validate (&config, NULL));
    fuzz_assert (rvm_config_count_parameters (&config, config.decoder.layers > 0) <= size); /* all are in the file, 2 bytes each or more */
  }
  /* What is good with its decoder is good without, and leaves no fewer arrays over. */
  if (good) {
    g_autoptr (GPtrArray) others = rvm_config_list_others (&config, weights), more = NULL;

    fuzz_assert (rvm_config_from_weights (&config, weights, FALSE, &error) && config.decoder.layers == 0);
    more = rvm_config_list_others (&config, weights);
    fuzz_assert (more->len >= others->len && more->len < rvm_weights_get_n_arrays (weights));
  }
  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const RvmArray *array = rvm_weights_get_array (weights, i);
    g_autofree float *values = NULL;
    guint64 elements, bytes;

    good = rvm_weights_check (weights, array, NULL, &error);
    fuzz_check_error (good, &error);
    if (!rvm_array_get_size (array, &elements, &bytes)) {
      fuzz_assert (!good);
      elements = 0;
    }
    if (elements > LARGE)
      continue;
    values = g_new (float, MAX (elements, 1));
    fuzz_assert (!rvm_weights_read (weights, array, values, &error) || good);
    g_clear_error (&error);
  }
  return 0;
}
