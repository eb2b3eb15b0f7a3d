/* rvm-cl-train bench MODEL: time of a training step by kernel, on random frames, against the best GEMM rate of the same process. */
#include <stdio.h>

#include "adamw.h"
#include "commands.h"
#include "kernels/error.h"
#include "step.h"

static int samples = 8, sources = 4, targets = 4, steps = 5, width = 64, height = 64;
static double mask_ratio = 0.9;

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
  g_autoptr (GRand) dice = g_rand_new_with_seed (1);
  const gsize pictures = (gsize) shape->samples * shape->targets, source_bytes = shape->samples * shape->sources * picture;

  random->source = g_malloc (source_bytes);
  random->target = g_malloc (pictures * picture);
  random->gaps = g_new (guint32, pictures);
  random->visible = g_new (guint32, pictures * shape->kept);
  for (gsize i = 0; i < source_bytes; i++)
    random->source[i] = g_rand_int (dice);
  for (gsize i = 0; i < pictures * picture; i++)
    random->target[i] = g_rand_int (dice);
  for (gsize b = 0; b < pictures; b++) {
    const guint first = g_rand_int_range (dice, 0, shape->rows * shape->columns - shape->kept + 1);
    random->gaps[b] = g_rand_int_range (dice, 4, 49);
    for (guint i = 0; i < shape->kept; i++)
      random->visible[b * shape->kept + i] = first + i;
  }
  random->batch = (RvmBatch){ shape->sources, random->source, random->target, random->gaps, random->visible };
}

static void
random_batch_clear (RandomBatch *random)
{
  g_free (random->source);
  g_free (random->target);
  g_free (random->gaps);
  g_free (random->visible);
}

/* GFLOP/s of the largest product of the network's kind at this many rows: the yardstick. */
static double
measure_gemm (RvmModel *model, RvmQueue *queue, guint rows, GError **error)
{
  static const guint shapes[][2] = { { 384, 1536 }, { 512, 512 }, { 1536, 384 } };
  double best = 0;

  for (guint s = 0; s < G_N_ELEMENTS (shapes); s++) {
    const guint k = shapes[s][0], n = shapes[s][1];
    g_autoptr (RvmGemmWeights) weights = rvm_gemm_weights_new (model->device, model->gemm, RVM_PRECISION_F32, k, n, FALSE, error);
    g_autoptr (RvmBuffer) a = weights ? rvm_buffer_new (model->device, (gsize) rows * k * sizeof (float), "yardstick", error) : NULL;
    g_autoptr (RvmBuffer) out = a ? rvm_buffer_new (model->device, (gsize) rows * n * sizeof (float), "yardstick", error) : NULL;
    g_autofree float *values = g_new0 (float, (gsize) k * n);

    if (out == NULL || !rvm_gemm_weights_begin (weights, error))
      return 0;
    rvm_gemm_weights_set_kernel (weights, 0, 0, k, n, values);
    if (!rvm_gemm_weights_end (weights, error))
      return 0;
    rvm_queue_zero (queue, a, 0, rvm_buffer_get_size (a));
    for (guint i = 0; i < 12; i++) {
      const gint64 start = g_get_monotonic_time ();
      rvm_gemm (queue, weights, &(RvmGemm){ .a = a, .a_stride = k, .out = out, .out_stride = n, .m = rows });
      if (!rvm_queue_finish (queue, error))
        return 0;
      if (i >= 2)
        best = MAX (best, 2e-3 * rows * n * k / (g_get_monotonic_time () - start));
    }
  }
  return best;
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

static gboolean
run (RvmModel *model, GError **error)
{
  const guint patch = model->config.patch, patches = (width / patch) * (height / patch);
  const RvmStepShape shape = {
    .rows = height / patch, .columns = width / patch, .samples = samples, .sources = sources, .targets = targets,
    .kept = MAX ((guint) (patches * (1 - mask_ratio)), 1),
  };
  const RvmOptimiserOptions options = { .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip_norm = 1 };
  g_autoptr (RvmStep) step = rvm_step_new (model, &shape, FALSE, TRUE, error);
  g_autoptr (RvmOptimiser) optimiser = NULL;
  g_autofree double *times = g_new (double, steps);
  RandomBatch random;
  double rate, norm, gflop, gemm;
  RvmLoss loss;
  gboolean ok = TRUE;

  optimiser = step ? rvm_optimiser_new (model, rvm_step_get_gradients (step), &options, rvm_step_get_queue (step), error) : NULL;
  if (optimiser == NULL)
    return FALSE;
  random_batch_init (&random, &shape, (gsize) width * height * 3);
  gemm = measure_gemm (model, rvm_step_get_queue (step), 2056, error);
  ok = gemm > 0;
  for (int i = -1; ok && i < steps; i++) {
    const gint64 start = g_get_monotonic_time ();

    if (i == 0)
      rvm_queue_reset_profile (rvm_step_get_queue (step));
    rvm_gradients_reset (rvm_step_get_gradients (step));
    rvm_step_refresh (step);
    ok = rvm_step_backward (step, &random.batch, 1, &loss, error) && rvm_optimiser_update (optimiser, 1e-5, &norm, error);
    if (i >= 0)
      times[i] = (g_get_monotonic_time () - start) / 1e3;
  }
  random_batch_clear (&random);
  if (!ok)
    return FALSE;
  gflop = 3e-9 * rvm_step_count_flops (step, sources);
  rate = median (times, steps);
  g_print ("%s\n%d samples of %d + %d frames of %d x %d, %u of %u patches visible\n", rvm_device_get_name (model->device), samples, sources,
      targets, width, height, shape.kept, patches);
  print_profile (rvm_step_get_queue (step), steps);
  g_print ("step %.1f ms (median of %d), %.1f samples/s, %.2f GFLOP, %.1f GFLOP/s = %.2f of the GEMM rate, %.1f\n"
           "memory of activations %.0f MiB\n",
      rate, steps, samples / rate * 1e3, gflop, gflop / rate * 1e3, gflop / rate * 1e3 / gemm, gemm,
      rvm_step_predict_memory (&model->config, &shape) / 1048576.0);
  return TRUE;
}

int
rvm_command_bench (int argc, char **argv)
{
  g_autofree char *device = NULL, *size = NULL;
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "size", 0, 0, G_OPTION_ARG_STRING, &size, "pixels of a frame (default 64x64)", "WxH" },
    { "batch", 'b', 0, G_OPTION_ARG_INT, &samples, "samples (default 8)", "N" },
    { "sources", 0, 0, G_OPTION_ARG_INT, &sources, "source frames (default 4)", "N" },
    { "targets", 0, 0, G_OPTION_ARG_INT, &targets, "target frames (default 4)", "N" },
    { "mask-ratio", 0, 0, G_OPTION_ARG_DOUBLE, &mask_ratio, "share of patches hidden (default 0.9)", "R" },
    { "steps", 'n', 0, G_OPTION_ARG_INT, &steps, "steps to time (default 5)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("MODEL - time of a training step by kernel");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  RvmModelOptions options = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 2 || samples < 1 || sources < 1 || targets < 1 || steps < 1 || !(mask_ratio > 0 && mask_ratio < 1)
      || (size && sscanf (size, "%dx%d", &width, &height) != 2) || width < 1 || height < 1) {
    g_printerr ("rvm-cl-train bench: expected one MODEL, positive numbers, a size like 64x64 and a mask ratio between 0 and 1\n");
    return 2;
  }
  options.device = device;
  model = rvm_model_load_trainable (argv[1], &options, &error);
  if (model && (width % model->config.patch || height % model->config.patch))
    g_set_error (&error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--size %dx%d: expected multiples of the patch size, %u", width, height,
        model->config.patch);
  if (error || !run (model, &error))
    return rvm_command_fail (error, 1);
  return 0;
}
