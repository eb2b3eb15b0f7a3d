/* check_readout_step gradients READOUT FEATURES TARGET WEIGHT WINDOWS STATES ROWS COLUMNS OUT: one backward pass over a batch, all files float32. Writes to
 * OUT: the loss, the answers, the gradients of all arrays in the order of the file format.
 *
 * check_readout_step train READOUT FEATURES TARGET WEIGHT WINDOWS STATES ROWS COLUMNS OUT: trains a readout of the same sizes from random weights on that
 * batch, and writes it to OUT. Prints the loss before each update. */
#include <stdlib.h>
#include <string.h>

#include "kernels/error.h"
#include "trainer/run/initialise.h"
#include "trainer/step/adamw.h"
#include "trainer/step/readout_step.h"

#define UPDATES 40

static gboolean
write_gradients (RvmReadoutStep *step, const RvmReadout *readout, GByteArray *out, GError **error)
{
  const RvmAttentionReadout *net = readout->network;
  g_autoptr (GArray) arrays = rvm_attention_readout_list_arrays (&net->config);

  for (guint i = 0; i < arrays->len; i++)
    for (guint p = 0; p < readout->parameters->len; p++) {
      const RvmParameter *parameter = g_ptr_array_index (readout->parameters, p);
      RvmBuffer *gradient = rvm_gradients_find_buffer (rvm_readout_step_get_gradients (step), rvm_parameter_get_buffer (parameter));
      const gsize count = rvm_parameter_get_size (parameter);
      g_autofree float *stored = g_malloc (rvm_buffer_get_size (gradient)), *values = g_new (float, count);

      if (strcmp (parameter->array.name, g_array_index (arrays, RvmArray, i).name) != 0)
        continue;
      rvm_queue_read (rvm_readout_step_get_queue (step), gradient, 0, stored, rvm_buffer_get_size (gradient));
      if (!rvm_queue_finish (rvm_readout_step_get_queue (step), error))
        return FALSE;
      rvm_parameter_unpack (parameter, stored, values);
      g_byte_array_append (out, (const guint8 *) values, count * sizeof *values);
    }
  return TRUE;
}

static gboolean
write_pass (RvmReadoutStep *step, const RvmReadout *readout, const RvmReadoutBatch *batch, gsize values, const char *path, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autofree float *answers = g_new (float, values), *alone = g_new (float, values);
  double loss, forward;
  float first;

  if (!rvm_readout_step_forward (step, batch, &forward, alone, error) || !rvm_readout_step_backward (step, batch, &loss, answers, error))
    return FALSE;
  if (loss != forward || memcmp (answers, alone, values * sizeof *alone) != 0) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_MODEL, "forward alone gives something else");
    return FALSE;
  }
  first = loss;
  g_byte_array_append (out, (const guint8 *) &first, sizeof first);
  g_byte_array_append (out, (const guint8 *) answers, values * sizeof *answers);
  return write_gradients (step, readout, out, error) && g_file_set_contents (path, (const char *) out->data, out->len, error);
}

static gboolean
train (RvmReadout *like, const RvmReadoutBatchShape *shape, const RvmReadoutBatch *batch, const char *path, GError **error)
{
  const RvmOptimiserOptions options = { .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip_norm = 1 };
  const RvmAttentionReadout *net = like->network;
  g_autoptr (RvmReadout) readout = NULL;
  g_autoptr (RvmReadoutStep) step = NULL;
  g_autoptr (RvmOptimiser) optimiser = NULL;
  double loss, norm;

  if (!rvm_initialise_readout (path, like->info, &net->config, 1, error))
    return FALSE;
  readout = rvm_readout_load_trainable (path, like->device, RVM_GEMM_AUTO, error);
  step = readout ? rvm_readout_step_new (readout, shape, error) : NULL;
  optimiser = step ? rvm_optimiser_new (rvm_readout_step_get_gradients (step), &options, rvm_readout_step_get_queue (step), error) : NULL;
  if (optimiser == NULL)
    return FALSE;
  for (guint i = 0; i < UPDATES; i++) {
    if (!rvm_readout_step_backward (step, batch, &loss, NULL, error) || !rvm_optimiser_update (optimiser, 3e-3, &norm, error))
      return FALSE;
    rvm_readout_step_begin (step);
    g_print ("%.6f\n", loss);
  }
  return rvm_readout_step_save (step, path, like->info, error);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autoptr (RvmDevice) device = NULL;
  g_autoptr (RvmReadout) readout = NULL;
  g_autoptr (RvmReadoutStep) step = NULL;
  char *files[3] = { NULL };
  RvmReadoutBatchShape shape;
  RvmReadoutBatch batch;
  gboolean good = FALSE;
  gsize size = 0;

  if (argc != 11) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "expected 10 arguments");
    return FALSE;
  }
  device = rvm_device_open (NULL, NULL, error);
  readout = device ? rvm_readout_load_trainable (argv[2], device, RVM_GEMM_AUTO, error) : NULL;
  shape = (RvmReadoutBatchShape){ strtoul (argv[6], NULL, 10), strtoul (argv[7], NULL, 10), strtoul (argv[8], NULL, 10), strtoul (argv[9], NULL, 10) };
  for (guint i = 0; i < 3; i++)
    if (readout == NULL || !g_file_get_contents (argv[3 + i], &files[i], i == 1 ? &size : NULL, error))
      goto done;
  batch = (RvmReadoutBatch){ shape.windows, shape.states, (const float *) files[0], (const float *) files[1], (const float *) files[2],
                              NULL };
  if (strcmp (argv[1], "train") == 0) {
    good = train (readout, &shape, &batch, argv[10], error);
    goto done;
  }
  step = rvm_readout_step_new (readout, &shape, error);
  good = step && write_pass (step, readout, &batch, size / sizeof (float), argv[10], error);

done:
  for (guint i = 0; i < 3; i++)
    g_free (files[i]);
  return good;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  if (run (argc, argv, &error))
    return 0;
  g_printerr ("check_readout_step: %s\n", error->message);
  return 1;
}
