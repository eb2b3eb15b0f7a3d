/* The time of a frame, as a stream takes it: from pixels on the host to features on the host. */
#include "model/stream.h"
#include "suite_private.h"

enum { SIDE = 256, WARM_UP = 5, FRAMES = 30 };

static gboolean
time_model (const RvmSuiteModel *model, RvmResults *results, GError **error)
{
  g_autoptr (RvmStream) stream = rvm_stream_new (model->model, SIDE, SIDE, RVM_STREAM_DEFAULT, error);
  g_autofree float *features = stream ? g_new (float, (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream)) : NULL;
  g_autofree guint8 *pixels = g_malloc (SIDE * SIDE * 3);
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);
  double milliseconds[FRAMES];

  if (stream == NULL)
    return FALSE;
  for (guint i = 0; i < SIDE * SIDE * 3; i++)
    pixels[i] = g_rand_int (rng);
  for (guint i = 0; i < WARM_UP + FRAMES; i++) {
    const gint64 start = g_get_monotonic_time ();

    if (!rvm_stream_push (stream, pixels, SIDE * 3, 1, features, NULL, error))
      return FALSE;
    if (i >= WARM_UP)
      milliseconds[i - WARM_UP] = (g_get_monotonic_time () - start) / 1e3;
  }
  rvm_results_add_mean (results, "cost", "milliseconds of a frame of 256 x 256", model->name, milliseconds, FRAMES);
  return TRUE;
}

gboolean
rvm_suite_time (const RvmSuite *suite, RvmResults *results, GError **error)
{
  if (!rvm_suite_check_size (suite, SIDE, SIDE, error))
    return FALSE;
  for (guint i = 0; i < suite->n_models; i++) {
    rvm_suite_tell (suite, "cost: %s", suite->models[i].name);
    if (!time_model (&suite->models[i], results, error))
      return FALSE;
  }
  return TRUE;
}
