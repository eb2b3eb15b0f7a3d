/* check_golden WEIGHTS PRETRAIN.npz: loss, every gradient, and the optimiser's steps of a recorded training run (the arrays
 * of tests/data/tiny_pretrain.npz), of any size and patch. Prints the worst array of each kind; fails beyond the tolerances. */
#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "model/format/npz.h"
#include "trainer/step/adamw.h"
#include "trainer/step/step.h"

/* Of a correct float32 implementation; see the README beside the recorded files. */
#define LOSS_TOLERANCE 1e-5     /* relative */
#define FEATURE_TOLERANCE 1e-4  /* of the largest magnitude */
#define GRADIENT_TOLERANCE 1e-4 /* of the array's largest magnitude, plus GRADIENT_FLOOR of the largest of all */
#define GRADIENT_FLOOR 1e-6
#define PARAMETER_TOLERANCE 2e-5

typedef struct {
  RvmNpz *npz;
  RvmModel *model;
  RvmStep *step;
  RvmStepShape shape;
  guint failed;
} Check;

typedef struct {
  guint8 *source, *target;
  guint32 *gaps, *visible;
  RvmBatch batch;
} Recorded;

static gpointer
read_array (const Check *check, RvmDType dtype, const RvmArray **array, GError **error, const char *format, ...) G_GNUC_PRINTF (5, 6);

static gpointer
read_array (const Check *check, RvmDType dtype, const RvmArray **array, GError **error, const char *format, ...)
{
  g_autofree char *name = NULL;
  g_autofree gpointer values = NULL;
  guint64 elements, bytes;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  *array = rvm_npz_find (check->npz, name);
  if (*array == NULL || (*array)->dtype != dtype || !rvm_array_get_size (*array, &elements, &bytes)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "array '%s' is missing or not of type %s", name, rvm_dtype_get_name (dtype));
    return NULL;
  }
  values = g_malloc (MAX (bytes, 1));
  return rvm_npz_read (check->npz, *array, values, bytes, error) ? g_steal_pointer (&values) : NULL;
}

static void
report (Check *check, gboolean good, const char *what, double error)
{
  g_print ("  %-36s %.2e%s\n", what, error, good ? "" : "  FAILED");
  check->failed += !good;
}

static void
recorded_clear (Recorded *recorded)
{
  g_free (recorded->source);
  g_free (recorded->target);
  g_free (recorded->gaps);
  g_free (recorded->visible);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Recorded, recorded_clear)

static gboolean
read_batch (const Check *check, guint index, Recorded *recorded, GError **error)
{
  const gsize pictures = (gsize) check->shape.samples * check->shape.targets;
  const RvmArray *array;
  g_autofree guint32 *order = NULL;

  recorded->source = read_array (check, RVM_DTYPE_U8, &array, error, "batch%u/source", index);
  recorded->target = recorded->source ? read_array (check, RVM_DTYPE_U8, &array, error, "batch%u/target", index) : NULL;
  recorded->gaps = recorded->target ? read_array (check, RVM_DTYPE_I32, &array, error, "batch%u/deltas", index) : NULL;
  order = recorded->gaps ? read_array (check, RVM_DTYPE_I32, &array, error, "batch%u/order", index) : NULL;
  if (order == NULL)
    return FALSE;
  recorded->visible = g_new (guint32, pictures * check->shape.kept);
  for (gsize b = 0; b < pictures; b++)
    memcpy (recorded->visible + b * check->shape.kept, order + b * array->dims[2], check->shape.kept * sizeof (guint32));
  recorded->batch = (RvmBatch){
    .sources = check->shape.sources, .source = recorded->source, .target = recorded->target, .gaps = recorded->gaps,
    .visible = recorded->visible,
  };
  return TRUE;
}

/* Sizes follow from the recorded arrays. */
static gboolean
find_shape (Check *check, GError **error)
{
  const RvmArray *source, *target, *mask;
  g_autofree guint8 *frames = read_array (check, RVM_DTYPE_U8, &source, error, "batch0/source");
  g_autofree guint8 *masked = frames ? read_array (check, RVM_DTYPE_U8, &mask, error, "mask") : NULL;
  const guint patch = check->model->config.patch;

  target = rvm_npz_find (check->npz, "batch0/target");
  if (masked == NULL || target == NULL || source->n_dims != 5 || target->n_dims != 5 || mask->n_dims < 4) {
    if (error && *error == NULL)
      g_set_error_literal (error, RVM_ERROR, RVM_ERROR_FORMAT, "batch0/source and target must be (samples, frames, H, W, 3)");
    return FALSE;
  }
  check->shape = (RvmStepShape){
    .rows = source->dims[2] / patch, .columns = source->dims[3] / patch,
    .samples = source->dims[0], .sources = source->dims[1], .targets = target->dims[1],
  };
  for (guint p = 0; p < check->shape.rows * check->shape.columns; p++)
    check->shape.kept += masked[p] == 0;
  return TRUE;
}

static double
relative (double got, double expected)
{
  return fabs (got - expected) / fabs (expected);
}

static double
largest (const float *values, gsize count)
{
  double most = 0;

  for (gsize i = 0; i < count; i++)
    most = MAX (most, fabs (values[i]));
  return most;
}

/* Infinite if something is not finite. */
static double
largest_difference (const float *a, const float *b, gsize count)
{
  double most = 0;

  for (gsize i = 0; i < count; i++) {
    const double difference = fabs ((double) a[i] - b[i]);
    most = difference <= G_MAXFLOAT ? MAX (most, difference) : INFINITY;
  }
  return most;
}

/* The bias of an attention key has no gradient: softmax does not see it. What is recorded is rounding noise. */
static gboolean
is_key_bias (const char *name)
{
  return g_str_has_suffix (name, "/key/bias");
}

static float *
read_stored (Check *check, const RvmParameter *parameter, RvmBuffer *buffer, GError **error)
{
  g_autofree float *stored = g_malloc (rvm_buffer_get_size (buffer));
  g_autofree float *values = g_new (float, rvm_parameter_get_size (parameter));

  rvm_queue_read (rvm_step_get_queue (check->step), buffer, 0, stored, rvm_buffer_get_size (buffer));
  if (!rvm_queue_finish (rvm_step_get_queue (check->step), error))
    return NULL;
  rvm_parameter_unpack (parameter, stored, values);
  return g_steal_pointer (&values);
}

/* Reconstructed pictures (samples, n, H, W, 3) against rows of patches. */
static double
compare_pictures (const Check *check, const float *predicted, const float *expected, guint n)
{
  const RvmStepShape *shape = &check->shape;
  const guint patch = check->model->config.patch, tokens = shape->rows * shape->columns + 1, length = patch * patch * 3;
  double worst = 0;

  for (guint s = 0; s < shape->samples; s++)
    for (guint t = 0; t < n; t++)
      for (guint p = 0; p < tokens - 1; p++)
        for (guint i = 0; i < length; i++) {
          const guint y = p / shape->columns * patch + i / 3 / patch, x = p % shape->columns * patch + i / 3 % patch;
          const gsize there = ((((gsize) s * n + t) * shape->rows * patch + y) * shape->columns * patch + x) * 3 + i % 3;
          const gsize here = (((gsize) s * shape->targets + t) * tokens + 1 + p) * length + i;
          worst = MAX (worst, fabs ((double) predicted[here] - expected[there]));
        }
  return worst;
}

static gboolean
check_forward (Check *check, GError **error)
{
  const RvmStepShape *shape = &check->shape;
  const guint tokens = shape->rows * shape->columns + 1, dim = check->model->config.encoder.dim;
  const gsize count = (gsize) shape->samples * shape->sources * tokens * dim;
  const RvmArray *array, *pictures;
  g_autofree float *features = g_new (float, count), *expected = NULL, *reconstructed = NULL;
  g_autofree float *predicted = g_new (float, (gsize) shape->samples * shape->targets * tokens * check->model->decoder.pixels);
  guint64 elements, bytes;
  double worst;

  expected = read_array (check, RVM_DTYPE_F32, &array, error, "features");
  reconstructed = expected ? read_array (check, RVM_DTYPE_F32, &pictures, error, "reconstructed") : NULL;
  if (reconstructed == NULL || !rvm_step_read (check->step, predicted, features, error))
    return FALSE;
  if (!rvm_array_get_size (array, &elements, &bytes) || (elements != count && elements != count / shape->sources * shape->sources)) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_FORMAT, "array 'features' does not fit the batch");
    return FALSE;
  }
  worst = largest_difference (features, expected, count) / largest (expected, count);
  report (check, worst <= FEATURE_TOLERANCE, "features", worst);
  rvm_array_get_size (pictures, &elements, &bytes);
  worst = compare_pictures (check, predicted, reconstructed, pictures->dims[1]) / largest (reconstructed, elements);
  report (check, worst <= FEATURE_TOLERANCE, "reconstructed", worst);
  return TRUE;
}

static gboolean
check_gradients (Check *check, GError **error)
{
  RvmGradients *gradients = rvm_step_get_gradients (check->step);
  const GPtrArray *parameters = check->model->parameters;
  double overall = 0, worst = 0, noise = 0;
  const char *worst_name = "";

  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < parameters->len; i++) {
      const RvmParameter *parameter = g_ptr_array_index (parameters, i);
      const guint64 count = rvm_parameter_get_size (parameter);
      const RvmArray *array;
      g_autofree float *expected = read_array (check, RVM_DTYPE_F32, &array, error, "grad/%s", parameter->array.name);
      g_autofree float *got = NULL;
      double ratio;

      if (expected == NULL)
        return FALSE;
      if (pass == 0) {
        overall = MAX (overall, largest (expected, count));
        continue;
      }
      got = read_stored (check, parameter, rvm_gradients_find_buffer (gradients, rvm_parameter_get_buffer (parameter)), error);
      if (got == NULL)
        return FALSE;
      if (is_key_bias (parameter->array.name)) {
        noise = MAX (noise, largest (got, count));
        continue;
      }
      ratio = largest_difference (got, expected, count) / (GRADIENT_TOLERANCE * largest (expected, count) + GRADIENT_FLOOR * overall);
      if (!(ratio <= 1)) {
        g_print ("  gradient %s: %.2f times the tolerance  FAILED\n", parameter->array.name, ratio);
        check->failed++;
      }
      if (!(ratio <= worst)) {
        worst = ratio;
        worst_name = parameter->array.name;
      }
    }
  g_print ("  %u gradients, worst %s: %.3f of the tolerance\n", parameters->len, worst_name, worst);
  report (check, noise <= GRADIENT_FLOOR * overall, "gradients of key biases, of largest", noise / overall);
  return TRUE;
}

static gboolean
check_parameters (Check *check, double sum_of_rates, GError **error)
{
  const GPtrArray *parameters = check->model->parameters;
  const char *worst_name = "";
  double worst = 0;

  for (guint i = 0; i < parameters->len; i++) {
    const RvmParameter *parameter = g_ptr_array_index (parameters, i);
    const guint64 count = rvm_parameter_get_size (parameter);
    const RvmArray *array;
    g_autofree float *expected = read_array (check, RVM_DTYPE_F32, &array, error, "adamw/params/%s", parameter->array.name);
    g_autofree float *got = expected ? read_stored (check, parameter, rvm_parameter_get_buffer (parameter), error) : NULL;
    const double allowed = is_key_bias (parameter->array.name) ? 2 * sum_of_rates : PARAMETER_TOLERANCE;
    double difference;

    if (got == NULL)
      return FALSE;
    difference = largest_difference (got, expected, count);
    if (!(difference <= allowed)) {
      g_print ("  parameter %s: off by %.2e  FAILED\n", parameter->array.name, difference);
      check->failed++;
    }
    if (!is_key_bias (parameter->array.name) && !(difference <= worst)) {
      worst = difference;
      worst_name = parameter->array.name;
    }
  }
  g_print ("  %u parameters after the last step, worst %s: %.2e\n", parameters->len, worst_name, worst);
  return TRUE;
}

/* Batches 0 and 1 in turn. */
static gboolean
check_steps (Check *check, GError **error)
{
  const RvmOptimiserOptions options = { .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip_norm = 0.5 };
  RvmGradients *gradients = rvm_step_get_gradients (check->step);
  g_autoptr (RvmOptimiser) optimiser =
      rvm_optimiser_new (gradients, &options, rvm_step_get_queue (check->step), error);
  const RvmArray *array;
  g_autofree float *rates = read_array (check, RVM_DTYPE_F32, &array, error, "adamw/learning_rates");
  g_autofree float *losses = rates ? read_array (check, RVM_DTYPE_F32, &array, error, "adamw/losses") : NULL;
  g_autofree float *norms = losses ? read_array (check, RVM_DTYPE_F32, &array, error, "adamw/grad_norms") : NULL;
  g_auto (Recorded) first = { 0 }, second = { 0 };
  double worst_loss = 0, worst_norm = 0, sum = 0;

  if (optimiser == NULL || norms == NULL || !read_batch (check, 0, &first, error) || !read_batch (check, 1, &second, error))
    return FALSE;
  for (guint i = 0; i < array->dims[0]; i++) {
    RvmLoss loss;
    double norm;

    rvm_gradients_reset (gradients);
    rvm_step_refresh (check->step);
    if (!rvm_step_backward (check->step, i % 2 ? &second.batch : &first.batch, 1, &loss, error)
        || !rvm_optimiser_update (optimiser, rates[i], &norm, error))
      return FALSE;
    worst_loss = MAX (worst_loss, relative (loss.masked, losses[i]));
    worst_norm = MAX (worst_norm, relative (norm, norms[i]));
    sum += rates[i];
  }
  report (check, worst_loss <= LOSS_TOLERANCE, "losses of the steps, worst", worst_loss);
  report (check, worst_norm <= GRADIENT_TOLERANCE, "gradient norms, worst", worst_norm);
  return check_parameters (check, sum, error);
}

static gboolean
run (Check *check, GError **error)
{
  const RvmArray *array;
  g_auto (Recorded) first = { 0 };
  g_autofree float *masked = NULL, *all = NULL;
  RvmLoss loss;

  if (!find_shape (check, error) || !read_batch (check, 0, &first, error))
    return FALSE;
  check->step = rvm_step_new (check->model, &check->shape, FALSE, FALSE, error);
  if (check->step == NULL)
    return FALSE;
  rvm_step_refresh (check->step);
  if (!rvm_step_backward (check->step, &first.batch, 1, &loss, error))
    return FALSE;
  masked = read_array (check, RVM_DTYPE_F32, &array, error, "loss_masked");
  all = masked ? read_array (check, RVM_DTYPE_F32, &array, error, "loss_all") : NULL;
  if (all == NULL)
    return FALSE;
  g_print ("%s: %u samples of %u x %u patches, %u of them visible\n", rvm_device_get_name (rvm_model_get_device (check->model)),
      check->shape.samples, check->shape.columns, check->shape.rows, check->shape.kept);
  report (check, relative (loss.masked, *masked) <= LOSS_TOLERANCE, "loss over masked patches", relative (loss.masked, *masked));
  report (check, relative (loss.all, *all) <= LOSS_TOLERANCE, "loss over all patches", relative (loss.all, *all));
  if (!check_forward (check, error) || !check_gradients (check, error))
    return FALSE;
  return rvm_npz_find (check->npz, "adamw/losses") == NULL || check_steps (check, error);
}

int
main (int argc, char **argv)
{
  g_autofree char *device = NULL, *gemm = NULL;
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "gemm", 'g', 0, G_OPTION_ARG_STRING, &gemm, "auto, native or clblast", "NAME" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS PRETRAIN.npz - compare with a recorded training run");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_autoptr (RvmNpz) npz = NULL;
  RvmModelOptions options = { 0 };
  Check check = { 0 };
  gboolean ran;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 3) {
    g_printerr ("check_golden: %s\n", error ? error->message : "expected WEIGHTS and PRETRAIN.npz");
    return 2;
  }
  options.device = device;
  if (gemm && !rvm_gemm_from_name (gemm, &options.gemm)) {
    g_printerr ("check_golden: --gemm %s: expected " RVM_GEMM_NAMES "\n", gemm);
    return 2;
  }
  model = rvm_model_load_trainable (argv[1], &options, &error);
  npz = model ? rvm_npz_open (argv[2], &error) : NULL;
  check.model = model;
  check.npz = npz;
  ran = npz && run (&check, &error);
  g_clear_pointer (&check.step, rvm_step_free);
  if (!ran) {
    g_printerr ("check_golden: %s\n", error->message);
    return 2;
  }
  g_print ("%s\n", check.failed ? "FAILED" : "ok");
  return check.failed != 0;
}
