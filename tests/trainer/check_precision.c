/* check_precision [--gemm NAME] WEIGHTS|FOLDER: training with operands of bfloat16 (training.precision), compared with float32 in the same process: the loss,
 * every gradient, and the loss after a few updates. With WEIGHTS on noise; with the FOLDER of a run, by hand, on its material and its latest weights.
 * --gemm matrix-units compares bfloat16 on matrix units also with bfloat16 on the native provider.
 *
 * No loss scaling is needed because bfloat16 has the range of float32: the gradients of a loss that is 2^24 times smaller are the same but for that
 * factor. */
#include <math.h>
#include <gst/gst.h>

#include "trainer/data/source.h"
#include "trainer/run/run_files.h"
#include "trainer/run/run_material.h"
#include "trainer/step/adamw.h"
#include "trainer/step/step.h"

#define LEAST_COSINE 0.999      /* of each gradient and that of float32 */
#define LEAST_NORM 1e-6         /* of an array's gradient, beside the norm of all; smaller ones are rounding noise around zero */
#define LEAST_ERROR 5e-4        /* of some gradient: otherwise nothing was rounded */
#define LOSS_TOLERANCE 1e-3     /* relative, bfloat16 to float32 */
#define UNITS_COSINE 0.9998     /* of each gradient on matrix units and that of the native provider */
#define UNITS_LOSS_TOLERANCE 3e-4 /* GELU is an approximation there */
#define SMALL 0x1p-24           /* what a half, with its smaller range, would lose */
#define SMALL_TOLERANCE 1e-6
#define RATE 1e-3
#define UPDATES 3

enum { ROWS = 3, COLUMNS = 4, SAMPLES = 2, SOURCES = 3, TARGETS = 2, KEPT = 3 };

typedef struct {
  const char *name; /* for the output */
  RvmModel *model;
  RvmStep *step;
  RvmOptimiser *optimiser;
} Side;

static guint failed;

static void
check (gboolean good, const char *what, double value)
{
  g_print ("  %-66s %.4g%s\n", what, value, good ? "" : "  FAILED");
  failed += !good;
}

static void
side_clear (Side *side)
{
  g_clear_pointer (&side->optimiser, rvm_optimiser_free);
  g_clear_pointer (&side->step, rvm_step_free);
  g_clear_pointer (&side->model, rvm_model_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Side, side_clear)

static gboolean
side_open (Side *side, const char *name, const char *weights, RvmElement precision, RvmGemmProvider gemm, const RvmStepShape *shape, GError **error)
{
  const RvmOptimiserOptions adamw = { .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip_norm = 1 };
  const RvmModelOptions options = { .precision = precision, .gemm = gemm };

  side->name = name;
  side->model = rvm_model_load_trainable (weights, &options, error);
  side->step = side->model ? rvm_step_new (side->model, shape, FALSE, FALSE, error) : NULL;
  side->optimiser = side->step ? rvm_optimiser_new (rvm_step_get_gradients (side->step), &adamw, rvm_step_get_queue (side->step), error) : NULL;
  return side->optimiser != NULL;
}

static gboolean
compute (Side *side, const RvmBatch *batch, double weight, RvmLoss *loss, GError **error)
{
  rvm_gradients_reset (rvm_step_get_gradients (side->step));
  rvm_step_refresh (side->step);
  return rvm_step_backward (side->step, batch, weight, loss, error);
}

/* (transfer full) (element-type GBytes): the gradient of every array of the weight file. */
static GPtrArray *
take_gradients (Side *side, const RvmBatch *batch, double weight, RvmLoss *loss, GError **error)
{
  RvmQueue *queue = rvm_step_get_queue (side->step);
  g_autoptr (GPtrArray) result = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (!compute (side, batch, weight, loss, error))
    return NULL;
  for (guint i = 0; i < side->model->parameters->len; i++) {
    const RvmParameter *parameter = g_ptr_array_index (side->model->parameters, i);
    RvmBuffer *buffer = rvm_gradients_find_buffer (rvm_step_get_gradients (side->step), rvm_parameter_get_buffer (parameter));
    const gsize count = rvm_parameter_get_size (parameter);
    g_autofree float *stored = g_malloc (rvm_buffer_get_size (buffer));
    float *values = g_new (float, count);

    g_ptr_array_add (result, g_bytes_new_take (values, count * sizeof (float)));
    rvm_queue_read (queue, buffer, 0, stored, rvm_buffer_get_size (buffer));
    if (!rvm_queue_finish (queue, error))
      return NULL;
    rvm_parameter_unpack (parameter, stored, values);
  }
  return g_steal_pointer (&result);
}

typedef struct {
  double cosine, error; /* of all gradients as one vector; error: the norm of the difference over the norm */
  double least_cosine, most_error; /* of an array */
  const char *least_name, *most_name;
  guint64 lost;         /* values that are zero, and not zero in the other */
  guint noise;          /* arrays that were left out */
  double aa, bb, ab, squares; /* sums over all arrays */
} Difference;

static double
norm_of (GBytes *values)
{
  const float *x = g_bytes_get_data (values, NULL);
  double sum = 0;

  for (gsize i = 0; i < g_bytes_get_size (values) / sizeof (float); i++)
    sum += (double) x[i] * x[i];
  return sqrt (sum);
}

/* Adds what two gradients of one array have to do with each other; FALSE if the first is rounding noise: the bias of an attention key has no gradient, since
 * softmax does not see it, nor have queries that meet an empty state. */
static gboolean
compare_array (const char *name, GBytes *a, GBytes *b, double factor, double least_norm, gboolean verbose, Difference *result)
{
  const float *x = g_bytes_get_data (a, NULL), *y = g_bytes_get_data (b, NULL);
  const double norm = norm_of (a);
  double bb = 0, ab = 0, difference = 0, cosine, error;

  if (norm < least_norm)
    return FALSE;
  for (gsize j = 0; j < g_bytes_get_size (a) / sizeof (float); j++) {
    const double p = x[j], q = factor * y[j];

    bb += q * q;
    ab += p * q;
    difference += (p - q) * (p - q);
    result->lost += p != 0 && q == 0;
  }
  result->aa += norm * norm;
  result->bb += bb;
  result->ab += ab;
  result->squares += difference;
  cosine = ab / (norm * sqrt (bb));
  error = sqrt (difference) / norm;
  if (verbose)
    g_print ("    %-60s cosine %.6f, error %.2e, norm %.2e\n", name, cosine, error, norm);
  if (!(cosine >= result->least_cosine)) {
    result->least_cosine = cosine;
    result->least_name = name;
  }
  if (!(error <= result->most_error)) {
    result->most_error = error;
    result->most_name = name;
  }
  return TRUE;
}

/* @b times @factor beside @a. */
static Difference
compare (const GPtrArray *parameters, const GPtrArray *a, const GPtrArray *b, double factor, gboolean verbose)
{
  Difference result = { .least_cosine = 2 };
  double squares = 0;

  for (guint i = 0; i < a->len; i++)
    squares += norm_of (g_ptr_array_index (a, i)) * norm_of (g_ptr_array_index (a, i));
  for (guint i = 0; i < parameters->len; i++) {
    const RvmParameter *parameter = g_ptr_array_index (parameters, i);

    if (!compare_array (parameter->array.name, g_ptr_array_index (a, i), g_ptr_array_index (b, i), factor, LEAST_NORM * sqrt (squares), verbose, &result))
      result.noise++;
  }
  result.cosine = result.ab / sqrt (result.aa * result.bb);
  result.error = sqrt (result.squares / result.aa);
  return result;
}

static void
print_difference (const Difference *d)
{
  g_print ("  all gradients: cosine %.6f, error %.2e; smallest cosine %.6f (%s); largest error %.2e (%s); %" G_GUINT64_FORMAT " values lost,"
      " %u arrays of noise\n", d->cosine, d->error, d->least_cosine, d->least_name, d->most_error, d->most_name, d->lost, d->noise);
}

/* @side: of bfloat16. */
static gboolean
check_side (Side *exact, Side *side, const RvmBatch *batch, gboolean verbose, GError **error)
{
  RvmLoss loss, other;
  g_autoptr (GPtrArray) expected = take_gradients (exact, batch, 1, &loss, error);
  g_autoptr (GPtrArray) got = expected ? take_gradients (side, batch, 1, &other, error) : NULL;
  g_autoptr (GPtrArray) again = got ? take_gradients (side, batch, 1, &other, error) : NULL;
  g_autoptr (GPtrArray) small = again ? take_gradients (side, batch, SMALL, &other, error) : NULL;
  const GPtrArray *parameters = exact->model->parameters;
  gboolean same = TRUE;
  Difference d;

  if (small == NULL)
    return FALSE;
  g_print ("%s beside %s, loss %.6f\n", side->name, exact->name, loss.masked);
  d = compare (parameters, expected, got, 1, verbose);
  print_difference (&d);
  check (fabs (other.masked / loss.masked - 1) <= LOSS_TOLERANCE, "difference of the loss", other.masked / loss.masked - 1);
  check (d.least_cosine >= LEAST_COSINE, "smallest cosine of a gradient", d.least_cosine);
  check (d.noise < parameters->len / 4, "arrays that are noise", d.noise);
  check (d.most_error >= LEAST_ERROR, "operands are rounded: largest error of a gradient", d.most_error);
  for (guint i = 0; i < got->len; i++)
    same &= g_bytes_equal (g_ptr_array_index (got, i), g_ptr_array_index (again, i));
  check (same, "the same bytes twice", same);
  d = compare (parameters, got, small, 1 / SMALL, FALSE);
  check (d.most_error <= SMALL_TOLERANCE, "a loss of 2^-24 times the size: largest error of a gradient", d.most_error);
  return TRUE;
}

static gboolean
check_units (Side *native, Side *units, const RvmBatch *batch, GError **error)
{
  RvmLoss loss, other;
  g_autoptr (GPtrArray) expected = take_gradients (native, batch, 1, &loss, error);
  g_autoptr (GPtrArray) got = expected ? take_gradients (units, batch, 1, &other, error) : NULL;
  Difference d;

  if (got == NULL)
    return FALSE;
  g_print ("%s beside %s\n", units->name, native->name);
  d = compare (native->model->parameters, expected, got, 1, FALSE);
  print_difference (&d);
  check (units->model->gemm == RVM_GEMM_MATRIX_UNITS && native->model->gemm == RVM_GEMM_NATIVE, "providers", units->model->gemm);
  check (fabs (other.masked / loss.masked - 1) <= UNITS_LOSS_TOLERANCE, "difference of the loss", other.masked / loss.masked - 1);
  check (d.least_cosine >= UNITS_COSINE, "smallest cosine of a gradient", d.least_cosine);
  return TRUE;
}

/* The loss after @updates updates. */
static gboolean
train (Side *side, const RvmBatch *batch, guint updates, double *result, GError **error)
{
  RvmLoss loss;
  double norm;

  for (guint i = 0; i < updates; i++)
    if (!compute (side, batch, 1, &loss, error) || !rvm_optimiser_update (side->optimiser, RATE, &norm, error))
      return FALSE;
  rvm_step_refresh (side->step);
  if (!rvm_step_forward (side->step, batch, &loss, error))
    return FALSE;
  *result = loss.masked;
  return TRUE;
}

static gboolean
check_updates (Side *a, Side *b, const RvmBatch *batch, double tolerance, GError **error)
{
  g_autofree char *what = g_strdup_printf ("%s beside %s: difference of the loss after %u updates", b->name, a->name, UPDATES);
  RvmLoss before;
  double x, y;

  if (!rvm_step_forward (a->step, batch, &before, error) || !train (a, batch, UPDATES, &x, error) || !train (b, batch, UPDATES, &y, error))
    return FALSE;
  check (x < before.masked, "updates lower the loss to", x);
  check (fabs (y / x - 1) <= tolerance, what, y / x - 1);
  return TRUE;
}

/* Noise on smooth pictures. */
static gboolean
check_weights (const char *weights, RvmGemmProvider gemm, gboolean verbose, GError **error)
{
  static const guint32 gaps[SAMPLES * TARGETS] = { 4, 40, 17, 8 };
  const RvmStepShape shape = { .rows = ROWS, .columns = COLUMNS, .samples = SAMPLES, .sources = SOURCES, .targets = TARGETS, .kept = KEPT };
  g_auto (Side) exact = { 0 }, native = { 0 }, units = { 0 };
  g_autofree guint8 *pixels = NULL;
  guint32 visible[SAMPLES * TARGETS * KEPT];
  RvmBatch batch;
  gsize picture;

  if (!side_open (&exact, "f32", weights, RVM_ELEMENT_F32, RVM_GEMM_NATIVE, &shape, error)
      || !side_open (&native, "bf16", weights, RVM_ELEMENT_BF16, RVM_GEMM_NATIVE, &shape, error))
    return FALSE;
  picture = (gsize) ROWS * COLUMNS * exact.model->config.patch * exact.model->config.patch * 3;
  pixels = g_malloc (SAMPLES * SOURCES * picture);
  for (gsize i = 0; i < SAMPLES * SOURCES * picture; i++)
    pixels[i] = 128 + 80 * sin (i * 0.003) + (i * 2654435761u >> 27);
  for (guint i = 0; i < G_N_ELEMENTS (visible); i++)
    visible[i] = (i / KEPT + 4 * (i % KEPT)) % (ROWS * COLUMNS);
  batch = (RvmBatch){ .sources = SOURCES, .source = pixels, .target = pixels + picture / 2, .gaps = gaps, .visible = visible };
  if (!check_side (&exact, &native, &batch, verbose, error))
    return FALSE;
  if (gemm == RVM_GEMM_MATRIX_UNITS
      && (!side_open (&units, "bf16 on matrix units", weights, RVM_ELEMENT_BF16, gemm, &shape, error)
          || !check_side (&exact, &units, &batch, verbose, error) || !check_units (&native, &units, &batch, error)))
    return FALSE;
  if (units.step)
    return check_updates (&native, &units, &batch, 3 * UNITS_LOSS_TOLERANCE, error);
  return check_updates (&exact, &native, &batch, 10 * LOSS_TOLERANCE, error);
}

static gboolean
check_run (const char *folder, guint batches, gboolean verbose, GError **error)
{
  const RvmRunOptions options = { .folder = folder };
  g_auto (Side) exact = { 0 }, rounded = { 0 };
  g_autoptr (RvmSource) source = NULL;
  g_autofree char *weights = NULL;
  RvmSampler *sampler;
  RvmStepShape shape;
  RvmRecipe recipe;
  guint64 step;

  if (!rvm_run_load_recipe (folder, &recipe, error))
    return FALSE;
  shape = rvm_step_shape_of_recipe (&recipe, recipe.batch);
  weights = rvm_run_find_checkpoint (folder, RVM_RUN_LATEST, &step, error);
  sampler = weights ? rvm_run_open_material (&options, &recipe, NULL, step, error) : NULL;
  if (sampler == NULL)
    return FALSE;
  g_print ("%s: step %" G_GUINT64_FORMAT "\n", folder, step);
  source = rvm_source_new (&recipe, sampler, NULL, step * recipe.accumulate);
  if (!side_open (&exact, "f32", weights, RVM_ELEMENT_F32, RVM_GEMM_AUTO, &shape, error)
      || !side_open (&rounded, "bf16", weights, RVM_ELEMENT_BF16, RVM_GEMM_AUTO, &shape, error))
    return FALSE;
  for (guint i = 0; i < batches; i++) {
    g_autoptr (RvmSourceBatch) batch = rvm_source_next (source, error);

    if (batch == NULL || !check_side (&exact, &rounded, &batch->batch, verbose, error))
      return FALSE;
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autofree char *gemm = NULL;
  gboolean verbose = FALSE;
  gint batches = 1;
  const GOptionEntry entries[] = {
    { "gemm", 'g', 0, G_OPTION_ARG_STRING, &gemm, "with WEIGHTS: matrix-units checks these, too", "NAME" },
    { "batches", 'b', 0, G_OPTION_ARG_INT, &batches, "with FOLDER: how many batches are compared (1)", "N" },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "print every array", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS|FOLDER - gradients in bfloat16 beside float32");
  RvmGemmProvider provider = RVM_GEMM_AUTO;
  g_autoptr (GError) error = NULL;
  gboolean ran;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 || (gemm && !rvm_gemm_from_name (gemm, &provider))) {
    g_printerr ("check_precision: %s\n", error ? error->message : "expected WEIGHTS or FOLDER, and a GEMM of " RVM_GEMM_NAMES);
    return 2;
  }
  if (g_file_test (argv[1], G_FILE_TEST_IS_DIR)) {
    gst_init (NULL, NULL);
    ran = check_run (argv[1], MAX (batches, 1), verbose, &error);
  } else {
    ran = check_weights (argv[1], provider, verbose, &error);
  }
  if (!ran) {
    g_printerr ("check_precision: %s\n", error->message);
    return 2;
  }
  g_print ("%s\n", failed ? "FAILED" : "ok");
  return failed != 0;
}
