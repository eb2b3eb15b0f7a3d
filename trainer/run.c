/* The loop of a training run. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "adamw.h"
#include "baseline.h"
#include "checkpoint.h"
#include "kernels/error.h"
#include "metrics.h"
#include "parallel.h"
#include "progress.h"
#include "run_files.h"
#include "sheet.h"

/* Signals received since the run began: the first ends it after the step, the second before the step's update. */
static volatile sig_atomic_t interrupts;

static void
on_signal (int number)
{
  interrupts++;
}

typedef struct {
  const RvmRunOptions *options;
  RvmRecipe recipe;
  RvmStepShape shape;
  guint64 step; /* updates so far */
  RvmModel *model;
  RvmStep *pass;
  RvmReduce *reduce; /* NULL in the only process of a run */
  RvmOptimiser *optimiser;
  RvmSource *source;
  RvmMetrics *metrics;   /* rank 0 has these two */
  RvmProgress *progress;
} Run;

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->progress, rvm_progress_free);
  g_clear_pointer (&run->metrics, rvm_metrics_free);
  g_clear_pointer (&run->source, rvm_source_free);
  g_clear_pointer (&run->optimiser, rvm_optimiser_free);
  g_clear_pointer (&run->pass, rvm_step_free);
  g_clear_pointer (&run->reduce, rvm_reduce_free);
  g_clear_pointer (&run->model, rvm_model_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static void
announce (const Run *run)
{
  const guint processes = rvm_parallel_get_size ();
  const guint64 parameters = rvm_config_count_parameters (&run->recipe.model, TRUE);
  /* Weights, their transpose, their gradients, two moments; with several processes the gradients once more on the host. */
  const guint64 weights = parameters * (processes > 1 ? 6 : 5) * sizeof (float);
  const guint64 activations = rvm_step_predict_memory (&run->recipe.model, &run->shape), data = rvm_source_predict_memory (&run->recipe, run->shape.samples);
  g_autofree char *notice = rvm_device_take_notice (rvm_model_get_device (run->model));

  if (notice)
    g_printerr ("rvm-cl-train: %s\n", notice);
  g_print ("%s: step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " parameters, on %s\n"
           "memory%s: %.0f MiB of weights, gradients and moments, %.0f MiB of activations, up to %.0f MiB of decoded video and batches:"
           " at most %.0f MiB and the program itself\n",
      run->options->folder, run->step, run->recipe.steps, parameters, rvm_device_get_name (rvm_model_get_device (run->model)),
      processes > 1 ? " of each process" : "", weights / 1048576.0, activations / 1048576.0,
      data / 1048576.0, (weights + activations + data) / 1048576.0);
}

/* Model, moments and step from the latest checkpoint that is whole. */
static gboolean
open_checkpoint (Run *run, GError **error)
{
  const RvmOptimiserOptions options = {
    .b1 = run->recipe.b1, .b2 = run->recipe.b2, .epsilon = run->recipe.epsilon, .decay = run->recipe.decay,
    .clip_norm = run->recipe.clip_norm,
  };
  const RvmModelOptions model_options = { .device = run->options->device, .cache_dir = run->options->cache_dir };
  g_autofree char *path = NULL;

  if (rvm_parallel_get_rank () == 0) {
    path = rvm_run_find_checkpoint (run->options->folder, &run->step, error);
    if (path == NULL)
      return FALSE;
  }
  run->step = rvm_parallel_broadcast (run->step);
  if (path == NULL)
    path = rvm_checkpoint_get_path (run->options->folder, run->step);
  run->model = rvm_model_load_trainable (path, &model_options, error);
  if (run->model == NULL)
    return FALSE;
  if (rvm_parallel_get_rank () == 0)
    announce (run);
  run->pass = rvm_step_new (run->model, &run->shape, run->recipe.loss_all, FALSE, error);
  if (run->pass == NULL)
    return FALSE;
  if (rvm_parallel_get_size () > 1)
    run->reduce = rvm_reduce_new (run->model, rvm_step_get_gradients (run->pass));
  run->optimiser = rvm_optimiser_new (run->model, rvm_step_get_gradients (run->pass), &options, rvm_step_get_queue (run->pass), error);
  return run->optimiser && rvm_checkpoint_restore (path, run->model, run->optimiser, rvm_step_get_queue (run->pass), error);
}

/* Rank 0 writes; its recipe and data are those of all. */
static gboolean
save (Run *run, GError **error)
{
  RvmQueue *queue = rvm_step_get_queue (run->pass);
  g_autofree char *path = rvm_checkpoint_get_path (run->options->folder, run->step);
  g_autofree char *model = g_build_filename (run->options->folder, "model.safetensors", NULL);
  g_autofree char *plot = g_build_filename (run->options->folder, "loss.png", NULL);
  g_autoptr (GHashTable) metadata = NULL;

  if (rvm_parallel_get_rank () > 0)
    return TRUE;
  metadata = rvm_run_make_metadata (run->options->folder, &run->recipe, error);
  if (metadata == NULL || !rvm_metrics_flush (run->metrics, error)
      || !rvm_checkpoint_save (path, run->model, run->optimiser, queue, run->step, metadata, error)
      || !rvm_checkpoint_save (model, run->model, NULL, queue, run->step, metadata, error))
    return FALSE;
  rvm_checkpoint_prune (run->options->folder, run->recipe.keep, run->recipe.keep_every);
  return rvm_metrics_plot (run->metrics, plot, error);
}

/* The same samples every time, which training never sees. */
static gboolean
draw_pictures (Run *run, GError **error)
{
  const gsize values = (gsize) run->shape.samples * run->shape.targets * (run->shape.rows * run->shape.columns + 1) * run->model->decoder.pixels;
  g_autofree char *name = g_strdup_printf ("reconstruction-%08" G_GUINT64_FORMAT ".png", run->step);
  g_autofree char *path = g_build_filename (run->options->folder, name, NULL);
  g_autoptr (RvmSourceBatch) probe = NULL;
  g_autofree float *predicted = NULL;
  RvmLoss loss;

  if (rvm_parallel_get_rank () > 0)
    return TRUE;
  probe = rvm_source_get_probe (run->source, error);
  if (probe == NULL)
    return FALSE;
  predicted = g_new (float, values);
  rvm_step_refresh (run->pass);
  return rvm_step_forward (run->pass, &probe->batch, &loss, error) && rvm_step_read (run->pass, predicted, NULL, error)
      && rvm_sheet_reconstruction (path, &run->shape, run->recipe.model.patch, &probe->batch, 4, predicted, error);
}

/* Losses of every process's samples, of which each already has its share. */
static void
share_metric (RvmMetric *metric)
{
  double values[] = { metric->masked, metric->all, metric->mean_colour, metric->copy };

  rvm_parallel_sum (values, G_N_ELEMENTS (values));
  metric->masked = values[0];
  metric->all = values[1];
  metric->mean_colour = values[2];
  metric->copy = values[3];
}

/* All passes of one step and its update. A second signal leaves the weights as they were: @updated tells; several processes finish the
 * step, since none can leave the others' sums. */
static gboolean
make_step (Run *run, gboolean *updated, double *waited, RvmMetric *metric, double *norm, GError **error)
{
  const double share = 1.0 / ((double) run->recipe.accumulate * rvm_parallel_get_size ());
  const double rate = rvm_recipe_get_rate (&run->recipe, run->step);

  *updated = FALSE;
  *waited = 0;
  *metric = (RvmMetric){ .step = run->step + 1 };
  rvm_gradients_reset (rvm_step_get_gradients (run->pass));
  rvm_step_refresh (run->pass);
  for (guint i = 0; i < run->recipe.accumulate; i++) {
    const gint64 start = g_get_monotonic_time ();
    g_autoptr (RvmSourceBatch) batch = rvm_source_next (run->source, error);
    RvmStepShape shape;
    RvmBaseline baseline;
    RvmLoss loss;

    *waited += (g_get_monotonic_time () - start) / 1e6;
    if (batch == NULL)
      return FALSE;
    rvm_step_set_reduce (run->pass, i + 1 == run->recipe.accumulate ? run->reduce : NULL);
    if (!rvm_step_backward (run->pass, &batch->batch, share, &loss, error)) {
      g_prefix_error (error, "step %" G_GUINT64_FORMAT ", samples %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": ", run->step + 1,
          batch->first, batch->first + batch->batch.samples - 1);
      return FALSE;
    }
    shape = rvm_step_shape_of_batch (&run->shape, &batch->batch);
    baseline = rvm_baseline_measure (&shape, run->recipe.model.patch, &batch->batch);
    metric->masked += share * loss.masked;
    metric->all += share * loss.all;
    metric->mean_colour += share * baseline.mean_colour;
    metric->copy += share * baseline.copy;
    if (interrupts > 1 && run->reduce == NULL)
      return TRUE;
  }
  share_metric (metric);
  if (!rvm_optimiser_update (run->optimiser, rate, norm, error)) {
    const guint64 samples = (guint64) run->recipe.accumulate * run->recipe.batch;

    g_prefix_error (error, "step %" G_GUINT64_FORMAT ", samples %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": ", run->step + 1,
        run->step * samples, (run->step + 1) * samples - 1);
    return FALSE;
  }
  run->step++;
  *updated = TRUE;
  return TRUE;
}

/* One of the processes was told to stop. */
static gboolean
is_interrupted (void)
{
  double signals = interrupts;

  rvm_parallel_sum (&signals, 1);
  return signals > 0;
}

static void
report (Run *run, const RvmMetric *metric, double norm, double rate, double waited)
{
  g_autofree char *text = NULL;

  if (rvm_parallel_get_rank () > 0)
    return;
  rvm_metrics_add (run->metrics, metric, norm, rate, waited);
  text = g_strdup_printf ("loss %.5f (mean colour %.5f, copy %.5f)", rvm_metrics_get_recent (run->metrics), metric->mean_colour, metric->copy);
  rvm_progress_update (run->progress, run->step, waited, text);
}

/* What a run has taken, to be held against what was announced and asked for. */
static void
report_end (const Run *run)
{
  struct rusage usage;
  guint64 bytes, overlapped;

  if (rvm_parallel_get_rank () == 0 && getrusage (RUSAGE_SELF, &usage) == 0)
    g_print ("peak memory of the process %.0f MiB\n", usage.ru_maxrss / 1024.0);

  if (run->reduce == NULL || rvm_parallel_get_rank () > 0)
    return;
  rvm_reduce_get_overlap (run->reduce, &bytes, &overlapped);
  if (bytes)
    g_print ("%u processes: %.1f MiB of gradients summed, %.0f %% of them before the way back was over\n", rvm_parallel_get_size (),
        bytes / 1048576.0, 100.0 * overlapped / bytes);
}

static gboolean
train (Run *run, GError **error)
{
  const guint64 last = run->options->stop_at ? MIN (run->options->stop_at, run->recipe.steps) : run->recipe.steps;
  guint64 saved = run->step;

  while (run->step < last && !is_interrupted ()) {
    const double rate = rvm_recipe_get_rate (&run->recipe, run->step);
    gboolean updated;
    double waited, norm = 0;
    RvmMetric metric;

    if (!make_step (run, &updated, &waited, &metric, &norm, error)) {
      /* The weights are those of the last step; what is on disk may be older. */
      if (run->step > saved)
        save (run, NULL);
      return FALSE;
    }
    if (!updated)
      break;
    report (run, &metric, norm, rate, waited);
    if (run->step % run->recipe.checkpoint_every == 0) {
      if (!save (run, error))
        return FALSE;
      saved = run->step;
    }
    if (run->recipe.picture_every && run->step % run->recipe.picture_every == 0 && !draw_pictures (run, error))
      return FALSE;
  }
  return run->step == saved || save (run, error);
}

RvmRunResult
rvm_run_resume (const RvmRunOptions *options, GError **error)
{
  g_auto (Run) run = { .options = options };
  const struct sigaction action = { .sa_handler = on_signal };
  struct sigaction old_int, old_term;
  gboolean ok;
  const gboolean writes = rvm_parallel_get_rank () == 0;
  int lock = writes ? rvm_run_lock (options->folder, error) : -1;

  if (writes && lock < 0)
    return RVM_RUN_FAILED;
  ok = rvm_run_load_recipe (options->folder, &run.recipe, error);
  if (ok && run.recipe.batch % rvm_parallel_get_size () != 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "training.batch is %u: expected a multiple of the %u processes", run.recipe.batch,
        rvm_parallel_get_size ());
    ok = FALSE;
  }
  if (ok)
    run.shape = rvm_step_shape_of_recipe (&run.recipe, run.recipe.batch / rvm_parallel_get_size ());
  if (ok && (guint64) run.recipe.side_max * run.recipe.side_max > (guint64) run.shape.samples * run.recipe.width * run.recipe.height) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "a frame of data.side-max (%u) squared does not fit into the %u samples of a process",
        run.recipe.side_max, run.shape.samples);
    ok = FALSE;
  }
  ok = ok && open_checkpoint (&run, error);
  if (ok)
    run.source = rvm_run_open_source (options, &run.recipe, run.step * run.recipe.accumulate, error);
  ok = ok && run.source;
  if (ok && writes)
    run.metrics = rvm_metrics_open (options->folder, run.step, error);
  ok = ok && (run.metrics || !writes);
  if (ok) {
    interrupts = 0;
    sigaction (SIGINT, &action, &old_int);
    sigaction (SIGTERM, &action, &old_term);
    run.progress = writes ? rvm_progress_new (run.step, run.recipe.steps, run.reduce == NULL) : NULL;
    ok = train (&run, error);
    g_clear_pointer (&run.progress, rvm_progress_free);
    report_end (&run);
    sigaction (SIGINT, &old_int, NULL);
    sigaction (SIGTERM, &old_term, NULL);
  }
  if (writes)
    close (lock);
  if (!ok)
    return RVM_RUN_FAILED;
  return run.step < run.recipe.steps ? RVM_RUN_INTERRUPTED : RVM_RUN_FINISHED;
}
