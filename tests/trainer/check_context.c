/* check_context WEIGHTS: a decoder that sees only a sample's last state (training.context). What does not depend on it stays the same to
 * the bit; what does has the right gradient, by finite differences along the gradient itself. */
#include <math.h>
#include <string.h>

#include "trainer/step.h"

enum { SAMPLES = 2, SOURCES = 3, TARGETS = 2, ROWS = 3, COLUMNS = 4, KEPT = 3 };

#define TOLERANCE 0.01 /* relative, of a directional derivative in float32 */

typedef struct {
  guint8 *source, *target;
  guint32 gaps[SAMPLES * TARGETS], visible[SAMPLES * TARGETS * KEPT];
  RvmBatch batch;
} Random;

static void
random_init (Random *random, guint patch)
{
  const gsize picture = (gsize) ROWS * COLUMNS * patch * patch * 3;
  GRand *dice = g_rand_new_with_seed (8);

  random->source = g_malloc (SAMPLES * SOURCES * picture);
  random->target = g_malloc (SAMPLES * TARGETS * picture);
  for (gsize i = 0; i < SAMPLES * SOURCES * picture; i++)
    random->source[i] = g_rand_int_range (dice, 0, 256);
  for (gsize i = 0; i < SAMPLES * TARGETS * picture; i++)
    random->target[i] = g_rand_int_range (dice, 0, 256);
  for (guint b = 0; b < SAMPLES * TARGETS; b++) {
    random->gaps[b] = g_rand_int_range (dice, 4, 49);
    for (guint i = 0; i < KEPT; i++)
      random->visible[b * KEPT + i] = (b + 4 * i) % (ROWS * COLUMNS);
  }
  random->batch = (RvmBatch){ SOURCES, random->source, random->target, random->gaps, random->visible };
  g_rand_free (dice);
}

static void
random_clear (Random *random)
{
  g_free (random->source);
  g_free (random->target);
}

static RvmStep *
make_step (RvmModel *model, guint context)
{
  const RvmStepShape shape = {
    .rows = ROWS, .columns = COLUMNS, .samples = SAMPLES, .sources = SOURCES, .targets = TARGETS, .kept = KEPT, .context = context,
  };
  g_autoptr (GError) error = NULL;
  RvmStep *step = rvm_step_new (model, &shape, FALSE, FALSE, &error);

  if (step == NULL)
    g_error ("%s", error->message);
  rvm_step_refresh (step);
  return step;
}

static double
loss_of (RvmStep *step, const RvmBatch *batch)
{
  g_autoptr (GError) error = NULL;
  RvmLoss loss;

  rvm_step_refresh (step);
  if (!rvm_step_forward (step, batch, &loss, &error))
    g_error ("%s", error->message);
  return loss.masked;
}

static guint
check (gboolean good, const char *what, double value)
{
  g_print ("  %-52s %.6g%s\n", what, value, good ? "" : "  FAILED");
  return !good;
}

static guint
check_forward (RvmModel *model, const Random *random)
{
  const gsize frame = (gsize) (ROWS * COLUMNS + 1) * model->config.encoder.dim;
  g_autoptr (RvmStep) all = make_step (model, 0), last = make_step (model, 1), many = make_step (model, SOURCES);
  g_autofree float *expected = g_new (float, SAMPLES * SOURCES * frame), *seen = g_new (float, SAMPLES * frame);
  RvmBatch one = random->batch;
  guint failed = 0;
  double a, b;

  a = loss_of (all, &random->batch);
  b = loss_of (many, &random->batch);
  failed += check (a == b, "a context of all states: difference of the loss", a - b);
  b = loss_of (last, &random->batch);
  failed += check (fabs (a - b) > 1e-5 * a, "a context of the last state: difference of the loss", a - b);
  if (!rvm_step_read (all, NULL, expected, NULL) || !rvm_step_read (last, NULL, seen, NULL))
    g_error ("features cannot be read");
  for (guint s = 0; s < SAMPLES; s++)
    failed += check (memcmp (seen + s * frame, expected + (s * SOURCES + SOURCES - 1) * frame, frame * sizeof (float)) == 0,
        "the state that is seen is the last one; sample", s);
  /* With one source frame there is nothing to leave out. */
  one.sources = 1;
  a = loss_of (all, &one);
  b = loss_of (last, &one);
  failed += check (a == b, "one source frame: difference of the loss", a - b);
  return failed;
}

/* Adds @factor times the gradients kept in @kept to the weights. */
static void
move (RvmStep *step, float *const *kept, double factor)
{
  RvmGradients *gradients = rvm_step_get_gradients (step);
  RvmQueue *queue = rvm_step_get_queue (step);

  for (guint i = 0; i < rvm_gradients_get_n_arrays (gradients); i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (gradients, i);
    g_autofree float *values = g_new (float, array->count);

    rvm_queue_read (queue, array->value, 0, values, array->count * sizeof (float));
    if (!rvm_queue_finish (queue, NULL))
      g_error ("weights cannot be read");
    for (guint j = 0; j < array->count; j++)
      values[j] += factor * kept[i][j];
    rvm_queue_write (queue, array->value, 0, values, array->count * sizeof (float));
    if (!rvm_queue_finish (queue, NULL))
      g_error ("weights cannot be written");
  }
}

static guint
check_gradient (RvmModel *model, const Random *random, guint context)
{
  g_autoptr (RvmStep) step = make_step (model, context);
  RvmGradients *gradients = rvm_step_get_gradients (step);
  const guint n = rvm_gradients_get_n_arrays (gradients);
  g_autofree float **kept = g_new (float *, n);
  g_autofree char *what = g_strdup_printf ("context %u: slope / squared gradient", context);
  double squares = 0, factor, up, down, slope;
  RvmLoss loss;
  guint failed;

  rvm_gradients_reset (gradients);
  if (!rvm_step_backward (step, &random->batch, 1, &loss, NULL))
    g_error ("the backward pass failed");
  for (guint i = 0; i < n; i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (gradients, i);

    kept[i] = g_new (float, array->count);
    rvm_queue_read (rvm_step_get_queue (step), array->gradient, 0, kept[i], array->count * sizeof (float));
    if (!rvm_queue_finish (rvm_step_get_queue (step), NULL))
      g_error ("gradients cannot be read");
    for (guint j = 0; j < array->count; j++)
      squares += (double) kept[i][j] * kept[i][j];
  }
  factor = 2e-3 * loss.masked / squares;
  move (step, kept, factor);
  up = loss_of (step, &random->batch);
  move (step, kept, -2 * factor);
  down = loss_of (step, &random->batch);
  move (step, kept, factor);
  slope = (up - down) / (2 * factor * squares);
  failed = check (fabs (slope - 1) <= TOLERANCE, what, slope);
  for (guint i = 0; i < n; i++)
    g_free (kept[i]);
  return failed;
}

int
main (int argc, char **argv)
{
  const RvmModelOptions options = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  Random random;
  guint failed;

  if (argc != 2) {
    g_printerr ("check_context: expected WEIGHTS\n");
    return 2;
  }
  model = rvm_model_load_trainable (argv[1], &options, &error);
  if (model == NULL) {
    g_printerr ("check_context: %s\n", error->message);
    return 2;
  }
  random_init (&random, model->config.patch);
  failed = check_forward (model, &random);
  for (guint context = 0; context <= SOURCES; context++)
    failed += check_gradient (model, &random, context);
  random_clear (&random);
  g_print ("%s\n", failed ? "FAILED" : "ok");
  return failed != 0;
}
