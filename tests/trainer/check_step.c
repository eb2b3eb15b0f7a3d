/* check_step WEIGHTS: a decoder that sees only a sample's last states (training.context): what does not depend on it stays the same to the
 * bit, what does has the right gradient, by finite differences along the gradient itself. And batches with a size of their own
 * (data.side-max): the same loss and gradients, to the bit, as from a step that was made for that size. And the loss of places (training.places), which
 * reaches the weights through the first and the last state. */
#include <math.h>
#include <string.h>

#include "kernels/cl/flags.h"
#include "trainer/step/step.h"

enum { SAMPLES = 2, SOURCES = 3, TARGETS = 2, ROWS = 3, COLUMNS = 4, KEPT = 3 };

#define TOLERANCE 0.01 /* relative, of a directional derivative in float32 */

typedef struct {
  guint8 *source, *target;
  guint32 *gaps, *visible;
  RvmBatch batch;
} Random;

static void
random_init (Random *random, guint patch, guint samples, guint rows, guint columns, guint kept)
{
  const gsize picture = (gsize) rows * columns * patch * patch * 3;
  GRand *rng = g_rand_new_with_seed (8);

  random->source = g_malloc (samples * SOURCES * picture);
  random->target = g_malloc (samples * TARGETS * picture);
  random->gaps = g_new (guint32, samples * TARGETS);
  random->visible = g_new (guint32, samples * TARGETS * kept);
  for (gsize i = 0; i < samples * SOURCES * picture; i++)
    random->source[i] = g_rand_int_range (rng, 0, 256);
  for (gsize i = 0; i < samples * TARGETS * picture; i++)
    random->target[i] = g_rand_int_range (rng, 0, 256);
  for (guint b = 0; b < samples * TARGETS; b++) {
    random->gaps[b] = g_rand_int_range (rng, 4, 49);
    for (guint i = 0; i < kept; i++)
      random->visible[b * kept + i] = (b + 4 * i) % (rows * columns);
  }
  random->batch = (RvmBatch){
    .sources = SOURCES, .samples = samples, .rows = rows, .columns = columns, .kept = kept,
    .source = random->source, .target = random->target, .gaps = random->gaps, .visible = random->visible,
  };
  g_rand_free (rng);
}

static void
random_clear (Random *random)
{
  g_free (random->source);
  g_free (random->target);
  g_free (random->gaps);
  g_free (random->visible);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Random, random_clear)

static RvmStep *
make_step (RvmModel *model, guint context, gboolean context_position)
{
  const RvmStepShape shape = {
    .rows = ROWS, .columns = COLUMNS, .samples = SAMPLES, .sources = SOURCES, .targets = TARGETS, .kept = KEPT, .context = context,
    .context_position = context_position,
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
  g_autoptr (RvmStep) all = make_step (model, 0, FALSE), last = make_step (model, 1, FALSE);
  g_autoptr (RvmStep) many = make_step (model, SOURCES, FALSE), placed = make_step (model, 0, TRUE);
  g_autofree float *expected = g_new (float, SAMPLES * SOURCES * frame), *seen = g_new (float, SAMPLES * frame);
  RvmBatch one = random->batch;
  guint failed = 0;
  double a, b;

  a = loss_of (all, &random->batch);
  b = loss_of (many, &random->batch);
  failed += check (a == b, "a context of all states: difference of the loss", a - b);
  b = loss_of (placed, &random->batch);
  failed += check (fabs (a - b) > 1e-5 * a, "places added to the states: difference of the loss", a - b);
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

/* The squared norm of the gradients of @batch; @kept: all of them. */
static double
take_gradients (RvmStep *step, const RvmBatch *batch, RvmLoss *loss, float ***kept)
{
  RvmGradients *gradients = rvm_step_get_gradients (step);
  double squares = 0;

  rvm_gradients_reset (gradients);
  rvm_step_refresh (step);
  if (!rvm_step_backward (step, batch, 1, loss, NULL))
    g_error ("the backward pass failed");
  *kept = g_new (float *, rvm_gradients_get_n_arrays (gradients));
  for (guint i = 0; i < rvm_gradients_get_n_arrays (gradients); i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (gradients, i);

    (*kept)[i] = g_new (float, array->count);
    rvm_queue_read (rvm_step_get_queue (step), array->gradient, 0, (*kept)[i], array->count * sizeof (float));
    if (!rvm_queue_finish (rvm_step_get_queue (step), NULL))
      g_error ("gradients cannot be read");
    for (guint j = 0; j < array->count; j++)
      squares += (double) (*kept)[i][j] * (*kept)[i][j];
  }
  return squares;
}

static void
free_gradients (RvmStep *step, float **kept)
{
  for (guint i = 0; i < rvm_gradients_get_n_arrays (rvm_step_get_gradients (step)); i++)
    g_free (kept[i]);
}

static guint
check_gradient (RvmModel *model, const Random *random, guint context, gboolean context_position)
{
  g_autoptr (RvmStep) step = make_step (model, context, context_position);
  g_autofree float **kept = NULL;
  g_autofree char *what = g_strdup_printf ("context %u%s: slope / squared gradient", context, context_position ? ", places added" : "");
  RvmLoss loss;
  const double squares = take_gradients (step, &random->batch, &loss, &kept), factor = 2e-3 * loss.masked / squares;
  double up, down, slope;

  move (step, kept, factor);
  up = loss_of (step, &random->batch);
  move (step, kept, -2 * factor);
  down = loss_of (step, &random->batch);
  move (step, kept, factor);
  free_gradients (step, kept);
  slope = (up - down) / (2 * factor * squares);
  return check (fabs (slope - 1) <= TOLERANCE, what, slope);
}

enum { PLACES_WEIGHT = 3, OBJECTS_WEIGHT = 2 };

static double
loss_with_places (RvmStep *step, const RvmBatch *batch)
{
  const double patches = SAMPLES * ROWS * COLUMNS;
  g_autoptr (GError) error = NULL;
  RvmLoss loss;

  rvm_step_refresh (step);
  if (!rvm_step_forward (step, batch, &loss, &error))
    g_error ("%s", error->message);
  return loss.masked + (PLACES_WEIGHT * loss.places * loss.matched + OBJECTS_WEIGHT * loss.objects * loss.known) / patches;
}

static guint
check_places (RvmModel *model, const Random *random, guint sources)
{
  const RvmStepShape shape = {
    .rows = ROWS, .columns = COLUMNS, .samples = SAMPLES, .sources = SOURCES, .targets = TARGETS, .kept = KEPT, .context = 1,
    .places = PLACES_WEIGHT, .objects = OBJECTS_WEIGHT, .places_temperature = 0.2,
  };
  g_autofree char *what = g_strdup_printf ("places and objects, %u source frames: slope / squared gradient", sources);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmStep) step = rvm_step_new (model, &shape, FALSE, FALSE, &error), without = make_step (model, 1, FALSE);
  g_autofree float **kept = NULL;
  guint32 match[SAMPLES * ROWS * COLUMNS], object[2 * SAMPLES * ROWS * COLUMNS];
  RvmBatch batch = random->batch;
  guint failed = 0, matched = 0;
  RvmLoss loss;

  if (step == NULL)
    g_error ("%s", error->message);
  for (guint i = 0; i < SAMPLES * ROWS * COLUMNS; i++) {
    match[i] = i % 3 == 0 ? RVM_MATCH_NONE : (i * 5 + 1) % (ROWS * COLUMNS);
    matched += i % 3 != 0;
  }
  for (guint i = 0; i < G_N_ELEMENTS (object); i++)
    object[i] = i % 7 == 3 ? RVM_MATCH_NONE : i % 3;
  batch.sources = sources;
  failed += check (loss_with_places (step, &batch) == loss_of (without, &batch), "no matches: the loss is that of reconstruction", 0);
  batch.match = match;
  batch.object = object;

  const double squares = take_gradients (step, &batch, &loss, &kept), factor = 1e-3 * loss_with_places (step, &batch) / squares;
  move (step, kept, factor);
  const double up = loss_with_places (step, &batch);
  move (step, kept, -2 * factor);
  const double down = loss_with_places (step, &batch), slope = (up - down) / (2 * factor * squares);
  move (step, kept, factor);
  free_gradients (step, kept);
  failed += check (fabs (slope - 1) <= TOLERANCE, what, slope);
  failed += check (loss.matched == (sources > 1 ? matched : 0), "patches that have a place", loss.matched);
  failed += check (sources == 1 || (loss.places > 0 && loss.found >= 0 && loss.found <= 1), "their loss", loss.places);
  failed += check (sources == 1 ? loss.known == 0 : loss.known > matched && loss.objects > 0, "the loss of objects", loss.objects);
  return failed;
}

/* One step takes batches of 4 x (3 x 4), 1 x (6 x 8), 2 x (5 x 4) patches in turn; steps made for each size are the measure. */
static guint
check_sizes (RvmModel *model)
{
  static const struct {
    guint samples, rows, columns, kept;
  } sizes[] = { { 4, 3, 4, 2 }, { 1, 6, 8, 9 }, { 2, 5, 4, 3 }, { 4, 3, 4, 2 } };
  RvmStepShape shape = {
    .rows = 3, .columns = 4, .samples = 4, .sources = SOURCES, .targets = TARGETS, .kept = 2, .most_patches = 48, .context = 1,
    .grid_code = TRUE,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmStep) mixed = rvm_step_new (model, &shape, FALSE, FALSE, &error);
  guint failed = 0;

  for (guint i = 0; mixed && i < G_N_ELEMENTS (sizes); i++) {
    g_autofree char *what = g_strdup_printf ("%u samples of %u x %u patches: norm of the gradient", sizes[i].samples, sizes[i].rows, sizes[i].columns);
    g_auto (Random) random = { 0 };
    g_autoptr (RvmStep) fixed = NULL;
    RvmStep *steps[2] = { mixed };
    RvmLoss losses[2];
    double norms[2];

    random_init (&random, model->config.patch, sizes[i].samples, sizes[i].rows, sizes[i].columns, sizes[i].kept);
    shape = rvm_step_shape_of_batch (&shape, &random.batch);
    shape.most_patches = 0;
    steps[1] = fixed = rvm_step_new (model, &shape, FALSE, FALSE, &error);
    for (guint which = 0; fixed && which < 2; which++) {
      g_autofree float **kept = NULL;

      norms[which] = take_gradients (steps[which], &random.batch, &losses[which], &kept);
      free_gradients (steps[which], kept);
    }
    if (fixed == NULL)
      break;
    failed += check (losses[0].masked == losses[1].masked && losses[0].all == losses[1].all && norms[0] == norms[1] && norms[0] > 0, what, norms[0]);
  }
  if (error == NULL && mixed) {
    RvmLoss loss;
    g_auto (Random) large = { 0 };

    random_init (&large, model->config.patch, 1, 7, 8, 5);
    failed += check (!rvm_step_forward (mixed, &large.batch, &loss, &error) && strstr (error->message, "does not fit"), "too large a batch", 0);
    g_clear_error (&error);
    large.batch.samples = 5;
    large.batch.rows = large.batch.columns = 3;
    failed += check (!rvm_step_forward (mixed, &large.batch, &loss, &error) && strstr (error->message, "does not fit"), "too many samples", 0);
    return failed;
  }
  g_printerr ("check_step: %s\n", error->message);
  return failed + 1;
}

/* The encoder's code for the decoder's places is the published one on 16 x 16 patches, and only there. */
static guint
check_code (RvmModel *model)
{
  guint failed = 0;

  for (guint rows = 15; rows <= 16; rows++) {
    g_auto (Random) random = { 0 };
    RvmLoss losses[2] = { { 0 } };

    random_init (&random, model->config.patch, 1, rows, 16, 12);
    for (guint grid_code = 0; grid_code < 2; grid_code++) {
      const RvmStepShape shape = {
        .rows = rows, .columns = 16, .samples = 1, .sources = SOURCES, .targets = TARGETS, .kept = 12, .grid_code = grid_code,
      };
      g_autoptr (GError) error = NULL;
      g_autoptr (RvmStep) step = rvm_step_new (model, &shape, FALSE, FALSE, &error);

      if (step)
        rvm_step_refresh (step);
      if (step == NULL || !rvm_step_forward (step, &random.batch, &losses[grid_code], &error)) {
        g_printerr ("check_step: %s\n", error->message);
        return failed + 1;
      }
    }
    failed += check ((losses[0].masked == losses[1].masked) == (rows == 16) && losses[0].masked > 0,
        rows == 16 ? "code of places, 16 x 16 patches: the published one" : "code of places, 15 x 16 patches: another one", losses[1].masked);
  }
  return failed;
}

int
main (int argc, char **argv)
{
  const RvmModelOptions options = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_auto (Random) random = { 0 };
  guint failed;

  if (argc != 2) {
    g_printerr ("check_step: expected WEIGHTS\n");
    return 2;
  }
  model = rvm_model_load_trainable (argv[1], &options, &error);
  if (model == NULL) {
    g_printerr ("check_step: %s\n", error->message);
    return 2;
  }
  random_init (&random, model->config.patch, SAMPLES, ROWS, COLUMNS, KEPT);
  failed = check_forward (model, &random);
  for (guint context = 0; context <= SOURCES; context++)
    failed += check_gradient (model, &random, context, context == 1);
  failed += check_gradient (model, &random, 1, FALSE);
  for (guint sources = 1; sources <= SOURCES; sources++)
    failed += check_places (model, &random, sources);
  failed += check_sizes (model);
  failed += check_code (model);
  g_print ("%s\n", failed ? "FAILED" : "ok");
  return failed != 0;
}
