/* check_same_forward MODEL: what training computes for a sample's source frames is, bit for bit, what a stream of the plugin computes for them
 * on the same device, alone and in a batch. MODEL has a decoder. */
#include <stdio.h>
#include <string.h>

#include "model/stream.h"
#include "trainer/step/step.h"

enum { SAMPLES = 3, SOURCES = 4, TARGETS = 1, KEPT = 2 };

/* (SAMPLES, SOURCES, tokens, dim). */
static float *
run_step (const char *path, const RvmStepShape *shape, const guint8 *source, const guint8 *target, gsize values, GError **error)
{
  g_autoptr (RvmModel) model = rvm_model_load_trainable (path, &(RvmModelOptions){ 0 }, error);
  g_autoptr (RvmStep) step = model ? rvm_step_new (model, shape, FALSE, FALSE, error) : NULL;
  const guint32 gaps[SAMPLES * TARGETS] = { 4, 17, 48 }, visible[SAMPLES * TARGETS * KEPT] = { 0, 1, 3, 2, 1, 0 };
  const RvmBatch batch = { .sources = shape->sources, .source = source, .target = target, .gaps = gaps, .visible = visible };
  g_autofree float *features = g_new (float, values);
  RvmLoss loss;

  if (step == NULL)
    return NULL;
  rvm_step_refresh (step);
  if (!rvm_step_forward (step, &batch, &loss, error) || !rvm_step_read (step, NULL, features, error))
    return NULL;
  return g_steal_pointer (&features);
}

static gboolean
compare (const char *path, guint width, guint height, GError **error)
{
  g_autoptr (RvmModel) model = rvm_model_load (path, &(RvmModelOptions){ 0 }, error);
  g_autoptr (RvmStream) stream = model ? rvm_stream_new (model, width, height, 0, error) : NULL;
  const guint patch = model ? rvm_model_get_config (model)->patch : 1;
  const RvmStepShape shape = {
    .rows = height / patch, .columns = width / patch, .samples = SAMPLES, .sources = SOURCES, .targets = TARGETS, .kept = KEPT,
  };
  const gsize picture = (gsize) width * height * 3;
  g_autofree guint8 *source = g_malloc (SAMPLES * SOURCES * picture), *target = g_malloc0 (SAMPLES * TARGETS * picture);
  g_autoptr (GRand) rng = g_rand_new_with_seed (3);
  g_autofree float *trained = NULL, *streamed = NULL;
  gsize frame, different = 0;

  if (stream == NULL)
    return FALSE;
  for (gsize i = 0; i < SAMPLES * SOURCES * picture; i++)
    source[i] = g_rand_int (rng);
  frame = (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream);
  trained = run_step (path, &shape, source, target, SAMPLES * SOURCES * frame, error);
  if (trained == NULL)
    return FALSE;
  streamed = g_new (float, frame);
  for (guint i = 0; i < SAMPLES * SOURCES; i++) {
    if (i % SOURCES == 0)
      rvm_stream_reset (stream);
    if (!rvm_stream_push (stream, source + i * picture, (gsize) width * 3, 1, streamed, NULL, error))
      return FALSE;
    if (memcmp (streamed, trained + i * frame, frame * sizeof (float)) != 0)
      different++;
  }
  g_print ("%u x %u pixels: %" G_GSIZE_FORMAT " of %u frames differ\n", width, height, different, SAMPLES * SOURCES);
  return different == 0;
}

int
main (int argc, char **argv)
{
  static const guint sizes[][2] = { { 64, 64 }, { 160, 96 }, { 48, 256 } };
  g_autoptr (GError) error = NULL;
  gboolean good = argc == 2;

  for (guint i = 0; i < G_N_ELEMENTS (sizes) && error == NULL && argc == 2; i++)
    good = compare (argv[1], sizes[i][0], sizes[i][1], &error) && good;
  if (error)
    g_printerr ("%s\n", error->message);
  return !good;
}
