/* rvm-cl-train bench: the time of a training step on random frames, by kernel, beside the best GEMM rate that the same process reaches. That rate is
 * measured between the steps, so that both are measured under the same load of the machine. The time that the process itself was on a processor is told
 * too, which hardly depends on that load. */
#include <stdio.h>
#include <time.h>

#include "commands.h"
#include "kernels/error.h"
#include "trainer/recipes/recipe.h"
#include "trainer/run/initialise.h"
#include "trainer/step/adamw.h"
#include "trainer/step/step.h"

/* 0: the value of the recipe. */
static int samples, sources, targets, steps = 5, width, height;
static double mask_ratio;

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static double
median (double *times, guint n)
{
  qsort (times, n, sizeof *times, compare_times);
  return times[n / 2];
}

typedef struct {
  guint8 *source, *target;
  guint32 *gaps, *visible;
  RvmBatch batch;
} RandomBatch;

static void
random_batch_init (RandomBatch *random, const RvmStepShape *shape, gsize picture)
{
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);
  const gsize pictures = (gsize) shape->samples * shape->targets, source_bytes = shape->samples * shape->sources * picture;

  random->source = g_malloc (source_bytes);
  random->target = g_malloc (pictures * picture);
  random->gaps = g_new (guint32, pictures);
  random->visible = g_new (guint32, pictures * shape->kept);
  for (gsize i = 0; i < source_bytes; i++)
    random->source[i] = g_rand_int (rng);
  for (gsize i = 0; i < pictures * picture; i++)
    random->target[i] = g_rand_int (rng);
  for (gsize b = 0; b < pictures; b++) {
    const guint first = g_rand_int_range (rng, 0, shape->rows * shape->columns - shape->kept + 1);
    random->gaps[b] = g_rand_int_range (rng, 4, 49);
    for (guint i = 0; i < shape->kept; i++)
      random->visible[b * shape->kept + i] = first + i;
  }
  random->batch = (RvmBatch){
    .sources = shape->sources, .source = random->source, .target = random->target, .gaps = random->gaps, .visible = random->visible,
  };
}

static void
random_batch_clear (RandomBatch *random)
{
  g_free (random->source);
  g_free (random->target);
  g_free (random->gaps);
  g_free (random->visible);
}

enum { YARDSTICK_ROWS = 2056 };

/* Measures the yardstick: times @repeats products of each of a few favourable shapes, and raises @best, in GFLOP/s, to the rate of the fastest. */
static gboolean
measure_gemm (RvmModel *model, RvmQueue *queue, guint repeats, double *best, GError **error)
{
  static const guint shapes[][2] = { { 384, 1536 }, { 512, 512 }, { 1536, 384 } };
  const guint rows = YARDSTICK_ROWS;

  for (guint s = 0; s < G_N_ELEMENTS (shapes); s++) {
    const guint k = shapes[s][0], n = shapes[s][1];
    g_autoptr (RvmLinear) weights = rvm_linear_new (model->device, model->gemm, model->precision, k, n, FALSE, error);
    g_autoptr (RvmBuffer) a = weights ? rvm_buffer_new (model->device, (gsize) rows * k * sizeof (float), "yardstick", error) : NULL;
    g_autoptr (RvmBuffer) out = a ? rvm_buffer_new (model->device, (gsize) rows * n * sizeof (float), "yardstick", error) : NULL;
    g_autofree float *values = g_new0 (float, (gsize) k * n);

    if (out == NULL || !rvm_linear_begin (weights, error))
      return FALSE;
    rvm_linear_set_kernel (weights, 0, 0, k, n, values);
    if (!rvm_linear_end (weights, error))
      return FALSE;
    rvm_queue_zero (queue, a, 0, rvm_buffer_get_size (a));
    for (guint i = 0; i < repeats + 2; i++) { /* the first two warm up */
      const gint64 start = g_get_monotonic_time ();
      rvm_linear_forward (queue, weights, rvm_tensor (a, rows, k), rvm_tensor (out, rows, n), NULL);
      if (!rvm_queue_finish (queue, error))
        return FALSE;
      if (i >= 2)
        *best = MAX (*best, 2e-3 * rows * n * k / (g_get_monotonic_time () - start));
    }
  }
  return TRUE;
}

static void
print_profile (RvmQueue *queue, guint n)
{
  g_autoptr (GArray) profile = rvm_queue_get_profile (queue);
  double total = 0;

  for (guint i = 0; i < profile->len; i++)
    total += g_array_index (profile, RvmProfileEntry, i).nanoseconds;
  for (guint i = 0; i < profile->len; i++) {
    const RvmProfileEntry *entry = &g_array_index (profile, RvmProfileEntry, i);
    g_print ("  %-28s %8.2f ms  %5.1f %%  %6.1f launches\n", entry->name, entry->nanoseconds / 1e6 / n, 100 * entry->nanoseconds / total,
        (double) entry->launches / n);
  }
}

/* Times steps as a run performs them. With @profile the queue does not join launches, so that each kernel has a time of its own. */
static gboolean
run (RvmModel *model, gboolean profile, GError **error)
{
  const guint patch = model->config.patch, patches = (width / patch) * (height / patch);
  const RvmStepShape shape = {
    .rows = height / patch, .columns = width / patch, .samples = samples, .sources = sources, .targets = targets,
    .kept = MAX ((guint) (patches * (1 - mask_ratio)), 1),
  };
  const RvmOptimiserOptions options = { .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip_norm = 1 };
  g_autoptr (RvmStep) step = rvm_step_new (model, &shape, FALSE, profile, error);
  g_autoptr (RvmOptimiser) optimiser = NULL;
  g_autoptr (RvmQueue) yardstick = NULL; /* its launches are not in the profile */
  g_autofree double *times = g_new (double, steps), *busy = g_new (double, steps); /* ms; of the processors, of all threads */
  RandomBatch random;
  double rate, norm, gflop, gemm = 0;
  RvmLoss loss;
  gboolean ok = TRUE;

  optimiser = step ? rvm_optimiser_new (rvm_step_get_gradients (step), &options, rvm_step_get_queue (step), error) : NULL;
  yardstick = optimiser ? rvm_queue_new (model->device, FALSE, error) : NULL;
  if (yardstick == NULL)
    return FALSE;
  random_batch_init (&random, &shape, (gsize) width * height * 3);
  for (int i = -1; ok && i < steps; i++) {
    const gint64 start = g_get_monotonic_time ();
    const clock_t busy_start = clock ();

    if (i == 0)
      rvm_queue_reset_profile (rvm_step_get_queue (step));
    rvm_gradients_reset (rvm_step_get_gradients (step));
    rvm_step_refresh (step);
    ok = rvm_step_backward (step, &random.batch, 1, &loss, error) && rvm_optimiser_update (optimiser, 1e-5, &norm, error);
    if (i >= 0) {
      times[i] = (g_get_monotonic_time () - start) / 1e3;
      busy[i] = (clock () - busy_start) * 1e3 / CLOCKS_PER_SEC;
    }
    ok = ok && measure_gemm (model, yardstick, 5, &gemm, error);
  }
  random_batch_clear (&random);
  if (!ok)
    return FALSE;
  gflop = 3e-9 * rvm_step_count_flops (step, sources);
  rate = median (times, steps);
  if (profile) {
    print_profile (rvm_step_get_queue (step), steps);
    return TRUE;
  }
  g_print ("step %.1f ms (median of %d), %.1f samples/s, %.2f GFLOP, %.1f GFLOP/s = %.2f of the GEMM rate, %.1f\n"
           "processor time %.1f ms a step\n"
           "memory of activations %.0f MiB\n",
      rate, steps, samples / rate * 1e3, gflop, gflop / rate * 1e3, gflop / rate * 1e3 / gemm, gemm, median (busy, steps),
      rvm_step_predict_memory (&model->config, &shape) / 1048576.0);
  return TRUE;
}

/* Sizes that were not given are the recipe's; the number of source frames, where it varies, is the mean. */
static gboolean
apply_recipe (const char *name, const char *size, const char *precision, RvmRecipe *recipe, GError **error)
{
  if (!rvm_recipe_load (recipe, name, error) || !rvm_recipe_validate (recipe, error))
    return FALSE;
  if (precision && (!rvm_element_from_name (precision, &recipe->precision) || recipe->precision == RVM_ELEMENT_F16)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--precision %s: expected f32 or bf16", precision);
    return FALSE;
  }
  if (size == NULL) {
    width = recipe->width;
    height = recipe->height;
  }
  samples = samples ? samples : (int) recipe->batch;
  sources = sources ? sources : (int) (recipe->sources_min + recipe->sources_max) / 2;
  targets = targets ? targets : (int) recipe->targets;
  mask_ratio = mask_ratio > 0 ? mask_ratio : recipe->mask_ratio;
  return TRUE;
}

int
rvm_command_bench (int argc, char **argv)
{
  g_autofree char *device = NULL, *cache_dir = NULL, *size = NULL, *name = NULL, *precision = NULL, *products = NULL;
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, RVM_CACHE_DIR_HELP, "FOLDER" },
    { "recipe", 'r', 0, G_OPTION_ARG_FILENAME, &name, "recipe that sizes are taken from: a file, or cpu (default), tiny or small16", "RECIPE" },
    { "size", 0, 0, G_OPTION_ARG_STRING, &size, "pixels of a frame (default: the recipe's)", "WxH" },
    { "batch", 'b', 0, G_OPTION_ARG_INT, &samples, "samples of a batch (default: the recipe's)", "N" },
    { "sources", 0, 0, G_OPTION_ARG_INT, &sources, "source frames of a sample (default: the recipe's)", "N" },
    { "targets", 0, 0, G_OPTION_ARG_INT, &targets, "target frames of a sample (default: the recipe's)", "N" },
    { "mask-ratio", 0, 0, G_OPTION_ARG_DOUBLE, &mask_ratio, "share of hidden patches (default: the recipe's)", "R" },
    { "precision", 'p', 0, G_OPTION_ARG_STRING, &precision, "of the operands of products, f32 or bf16 (default: the recipe's)", "PRECISION" },
    { "steps", 'n', 0, G_OPTION_ARG_INT, &steps, "steps to time (default 5)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[MODEL] - time of a training step by kernel, with random weights or those of a file");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  RvmModelOptions options = { 0 };
  RvmRecipe recipe;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc > 2 || samples < 0 || sources < 0 || targets < 0 || steps < 1 || mask_ratio < 0 || mask_ratio >= 1
      || (size && (sscanf (size, "%dx%d", &width, &height) != 2 || width < 1 || height < 1))) {
    g_printerr ("rvm-cl-train bench: expected at most one MODEL, positive numbers, a size like 64x64 and a mask ratio between 0 and 1\n");
    return 2;
  }
  if (!apply_recipe (name ? name : "cpu", size, precision, &recipe, &error))
    return rvm_command_fail (error, 2);
  options.precision = recipe.precision;
  options.device = device;
  options.cache_dir = cache_dir;
  model = argc == 2 ? rvm_model_load_trainable (argv[1], &options, &error) : rvm_initialise_model (&recipe.model, &options, TRUE, &error);
  if (model && (width % model->config.patch || height % model->config.patch))
    g_set_error (&error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--size %dx%d: expected multiples of the patch size, %u", width, height,
        model->config.patch);
  if (error == NULL)
    rvm_command_show_notice (model->device);
  products = error ? NULL : rvm_gemm_describe_training (model->device, model->gemm, model->precision);
  if (products)
    g_print ("%s\n", products);
  if (error == NULL)
    g_print ("%s\n%d samples of %d + %d frames of %d x %d\n", rvm_device_get_name (model->device), samples, sources, targets, width, height);
  if (error || !run (model, TRUE, &error) || !run (model, FALSE, &error))
    return rvm_command_fail (error, 1);
  return 0;
}
