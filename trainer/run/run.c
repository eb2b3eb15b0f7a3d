/* The loop of a training run. A Run owns everything that it has opened; run_clear() frees it. */
#include "run.h"

#include <sys/resource.h>
#include <unistd.h>

#include "checkpoint.h"
#include "kernels/error.h"
#include "metrics.h"
#include "program/interrupts.h"
#include "progress.h"
#include "run_files.h"
#include "run_material.h"
#include "sheet.h"
#include "trainer/data/source.h"
#include "trainer/step/adamw.h"
#include "trainer/step/baseline.h"
#include "trainer/step/parallel.h"

typedef struct {
  const RvmRunOptions *options;
  RvmRecipe recipe;
  RvmStepShape shape;
  guint64 step; /* updates so far */
  RvmModel *model;
  RvmStep *trainer;
  RvmReduce *reduce; /* NULL in the only process of a run */
  RvmOptimiser *optimiser;
  GHashTable *metadata; /* of all weights that this process writes, made once since files may change meanwhile */
  RvmSource *source;
  RvmMetrics *metrics;   /* rank 0 has these two */
  RvmProgress *progress;
  gboolean alone;        /* this process has failed, and the others do not know */
} Run;

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->progress, rvm_progress_free);
  g_clear_pointer (&run->metrics, rvm_metrics_free);
  g_clear_pointer (&run->source, rvm_source_free);
  g_clear_pointer (&run->metadata, g_hash_table_unref);
  g_clear_pointer (&run->optimiser, rvm_optimiser_free);
  g_clear_pointer (&run->trainer, rvm_step_free);
  g_clear_pointer (&run->reduce, rvm_reduce_free);
  g_clear_pointer (&run->model, rvm_model_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static void
announce (const Run *run)
{
  const guint processes = rvm_parallel_get_size ();
  const guint64 parameters = rvm_config_count_parameters (&run->recipe.model, TRUE);
  /* Weights, their transpose (or both as bfloat16), their gradients, two moments; with several processes the gradients once more on the host. */
  const guint64 weights = parameters * (processes > 1 ? 6 : 5) * sizeof (float);
  const guint64 activations = rvm_step_predict_memory (&run->recipe.model, &run->shape), data = rvm_source_predict_memory (&run->recipe, run->shape.samples);
  g_autofree char *notice = rvm_device_take_notice (rvm_model_get_device (run->model));
  g_autofree char *products = rvm_gemm_describe_training (rvm_model_get_device (run->model), run->model->gemm, run->recipe.precision);

  if (notice)
    g_printerr ("rvm-cl-train: %s\n", notice);
  if (products)
    g_printerr ("rvm-cl-train: %s\n", products);
  g_print ("%s: step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " parameters, on %s\n"
           "memory%s: %.0f MiB of weights, gradients and moments, %.0f MiB of activations, up to %.0f MiB of decoded video and batches:"
           " at most %.0f MiB and the program itself\n",
      run->options->folder, run->step, run->recipe.steps, parameters, rvm_device_get_name (rvm_model_get_device (run->model)),
      processes > 1 ? " of each process" : "", weights / 1048576.0, activations / 1048576.0,
      data / 1048576.0, (weights + activations + data) / 1048576.0);
}

/* The checkpoint to continue from, the same for all processes. */
static char *
find_checkpoint (Run *run, GError **error)
{
  g_autofree char *path = NULL;

  if (rvm_parallel_get_rank () == 0) {
    path = rvm_run_find_checkpoint (run->options->folder, run->options->from, &run->step, error);
    if (path == NULL)
      return NULL;
  }
  run->step = rvm_parallel_broadcast (run->step);
  return path ? g_steal_pointer (&path) : rvm_checkpoint_get_path (run->options->folder, run->step);
}

/* Arrays that the recipe does not name stay as they are. */
static gboolean
freeze (Run *run, GError **error)
{
  guint64 n_trained;

  if (*run->recipe.only == '\0')
    return TRUE;
  if (!rvm_gradients_freeze (rvm_step_get_gradients (run->trainer), run->model->parameters, run->recipe.only, &n_trained, error))
    return FALSE;
  if (rvm_parallel_get_rank () == 0)
    g_print ("training.only: %" G_GUINT64_FORMAT " of these parameters are trained\n", n_trained);
  return TRUE;
}

/* Model, moments and step from a checkpoint. */
static gboolean
open_checkpoint (Run *run, const char *path, GError **error)
{
  const RvmOptimiserOptions options = {
    .b1 = run->recipe.b1, .b2 = run->recipe.b2, .epsilon = run->recipe.epsilon, .decay = run->recipe.decay,
    .clip_norm = run->recipe.clip_norm,
  };
  const RvmModelOptions model_options = {
    .device = run->options->device, .cache_dir = run->options->cache_dir, .precision = run->recipe.precision,
  };

  run->model = rvm_model_load_trainable (path, &model_options, error);
  if (run->model == NULL)
    return FALSE;
  if (rvm_parallel_get_rank () == 0)
    announce (run);
  run->trainer = rvm_step_new (run->model, &run->shape, run->recipe.loss_all, FALSE, error);
  if (run->trainer == NULL || !freeze (run, error))
    return FALSE;
  if (rvm_parallel_get_size () > 1)
    run->reduce = rvm_reduce_new (run->model, rvm_step_get_gradients (run->trainer));
  run->optimiser = rvm_optimiser_new (rvm_step_get_gradients (run->trainer), &options, rvm_step_get_queue (run->trainer), error);
  return run->optimiser && rvm_checkpoint_restore (path, run->model, run->optimiser, rvm_step_get_queue (run->trainer), error);
}

static void
warn (const Run *run, const char *what, const GError *reason)
{
  g_printerr ("rvm-cl-train: step %" G_GUINT64_FORMAT ": %s: %s\n", run->step, what, reason->message);
}

static gboolean
save_model (Run *run, GError **error)
{
  g_autofree char *path = g_build_filename (run->options->folder, "model.safetensors", NULL);

  return rvm_checkpoint_save (path, run->model, NULL, rvm_step_get_queue (run->trainer), run->step, run->metadata, error);
}

/* Rank 0 writes. Errors of figures and curves are reported, and they are written with the next checkpoint. Older checkpoints are deleted last, after
 * the new one is safe. */
static gboolean
save (Run *run, GError **error)
{
  g_autofree char *path = rvm_checkpoint_get_path (run->options->folder, run->step);
  g_autofree char *plot = g_build_filename (run->options->folder, "loss.png", NULL);
  g_autoptr (GError) reason = NULL;

  if (rvm_parallel_get_rank () > 0)
    return TRUE;
  if (!rvm_metrics_flush (run->metrics, &reason)) {
    warn (run, "metrics are not written yet", reason);
    g_clear_error (&reason);
  }
  if (!rvm_checkpoint_save (path, run->model, run->optimiser, rvm_step_get_queue (run->trainer), run->step, run->metadata, error)
      || !save_model (run, error))
    return FALSE;
  rvm_checkpoint_prune (run->options->folder, run->step, run->recipe.keep, run->recipe.keep_every);
  if (!rvm_metrics_plot (run->metrics, plot, &reason))
    warn (run, "no curve", reason);
  return TRUE;
}

/* Always the same samples, which are never trained on. If files cannot be read or written there is no picture, but the run continues. */
static gboolean
draw_pictures (Run *run, GError **error)
{
  const gsize values = (gsize) run->shape.samples * run->shape.targets * (run->shape.rows * run->shape.columns + 1) * run->model->decoder.pixels;
  g_autofree char *name = g_strdup_printf ("reconstruction-%08" G_GUINT64_FORMAT ".png", run->step);
  g_autofree char *path = g_build_filename (run->options->folder, name, NULL);
  g_autoptr (RvmSourceBatch) probe = NULL;
  g_autoptr (GError) reason = NULL;
  g_autofree float *predicted = NULL;
  RvmLoss loss;

  if (rvm_parallel_get_rank () > 0)
    return TRUE;
  probe = rvm_source_get_probe (run->source, &reason);
  if (probe == NULL) {
    warn (run, "no picture", reason);
    return TRUE;
  }
  predicted = g_new (float, values);
  rvm_step_refresh (run->trainer);
  if (!rvm_step_forward (run->trainer, &probe->batch, &loss, error) || !rvm_step_read (run->trainer, predicted, NULL, error))
    return FALSE;
  if (!rvm_sheet_reconstruction (path, &run->shape, run->recipe.model.patch, &probe->batch, 4, predicted, &reason))
    warn (run, "no picture", reason);
  return TRUE;
}

/* Sums the losses over all processes, each of which has counted its share. */
static void
share_metric (RvmMetric *metric)
{
  double *const fields[] = {
    &metric->masked, &metric->all, &metric->mean_colour, &metric->copy, &metric->matched, &metric->places, &metric->found, &metric->known,
    &metric->objects,
  };
  double values[G_N_ELEMENTS (fields)];

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    values[i] = *fields[i];
  rvm_parallel_sum (values, G_N_ELEMENTS (values));
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    *fields[i] = values[i];
}

/* Whether all processes can continue. If one cannot, the step ends for all, since each needs the sums of the others. */
static gboolean
agree (gboolean well, GError **error)
{
  double unwell = !well;

  rvm_parallel_sum (&unwell, 1);
  if (well && unwell > 0)
    rvm_error_set (error, RVM_ERROR_FILE, "another process could not continue");
  return unwell == 0;
}

/* Names step and samples. A value that is not finite occurs in all processes at once, since gradients are summed. */
static void
prefix_failure (Run *run, guint64 first, guint64 last, GError **error)
{
  run->alone = !g_error_matches (*error, RVM_ERROR, RVM_ERROR_MODEL);
  g_prefix_error (error, "step %" G_GUINT64_FORMAT ", samples %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": ", run->step + 1, first, last);
}

/* The forward and backward pass of one batch. */
static gboolean
make_pass (Run *run, gboolean last, double share, double *waited, RvmMetric *metric, GError **error)
{
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (RvmSourceBatch) batch = rvm_source_next (run->source, error);
  RvmStepShape shape;
  RvmBaseline baseline;
  RvmLoss loss;

  *waited += (g_get_monotonic_time () - start) / 1e6;
  if (!agree (batch != NULL, error))
    return FALSE;
  rvm_step_set_reduce (run->trainer, last ? run->reduce : NULL);
  if (!rvm_step_backward (run->trainer, &batch->batch, share, &loss, error)) {
    prefix_failure (run, batch->first, batch->first + batch->batch.samples - 1, error);
    if (!run->alone)
      agree (FALSE, NULL);
    return FALSE;
  }
  shape = rvm_step_shape_of_batch (&run->shape, &batch->batch);
  baseline = rvm_baseline_measure (&shape, run->recipe.model.patch, &batch->batch);
  metric->masked += share * loss.masked;
  metric->all += share * loss.all;
  metric->mean_colour += share * baseline.mean_colour;
  metric->copy += share * baseline.copy;
  metric->matched += loss.matched;
  metric->places += loss.matched * loss.places;
  metric->found += loss.matched * loss.found;
  metric->known += loss.known;
  metric->objects += loss.known * loss.objects;
  return TRUE;
}

/* All passes of a step, and its update. @updated: FALSE if a second signal ended the step, which leaves the weights as they were. Several processes
 * always finish the step, since each needs the sums of the others. @error is not NULL. */
static gboolean
make_step (Run *run, gboolean *updated, double *waited, RvmMetric *metric, double *norm, GError **error)
{
  const double share = 1.0 / ((double) run->recipe.accumulate * rvm_parallel_get_size ());
  const double rate = rvm_recipe_get_rate (&run->recipe, run->step);

  *updated = FALSE;
  *waited = 0;
  *metric = (RvmMetric){ .step = run->step + 1 };
  rvm_gradients_reset (rvm_step_get_gradients (run->trainer));
  rvm_step_refresh (run->trainer);
  for (guint i = 0; i < run->recipe.accumulate; i++) {
    if (!make_pass (run, i + 1 == run->recipe.accumulate, share, waited, metric, error))
      return FALSE;
    if (rvm_interrupts_count () > 1 && run->reduce == NULL)
      return TRUE;
  }
  if (!agree (TRUE, error))
    return FALSE;
  share_metric (metric);
  if (!rvm_optimiser_update (run->optimiser, rate, norm, error)) {
    const guint64 samples = (guint64) run->recipe.accumulate * run->recipe.batch;

    prefix_failure (run, run->step * samples, (run->step + 1) * samples - 1, error);
    return FALSE;
  }
  run->step++;
  *updated = TRUE;
  return TRUE;
}

/* Whether any process was told to stop. */
static gboolean
is_interrupted (void)
{
  double signals = rvm_interrupts_count ();

  rvm_parallel_sum (&signals, 1);
  return signals > 0;
}

static void
report (Run *run, const RvmMetric *metric, double norm, double rate, double waited)
{
  g_autofree char *text = NULL;
  g_autoptr (GString) places = g_string_new (NULL);

  if (rvm_parallel_get_rank () > 0)
    return;
  if (metric->matched > 0)
    g_string_append_printf (places, ", places %.3f, %.0f %% found", metric->places / metric->matched, 100 * metric->found / metric->matched);
  if (metric->known > 0)
    g_string_append_printf (places, ", objects %.3f", metric->objects / metric->known);
  rvm_metrics_add (run->metrics, metric, norm, rate, waited);
  text = g_strdup_printf ("loss %.5f (mean colour %.5f, copy %.5f%s)", rvm_metrics_get_recent (run->metrics), metric->mean_colour, metric->copy,
      places->str);
  rvm_progress_update (run->progress, run->step, waited, text);
}

/* Prints what the run has taken, to compare with what was announced. */
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
    g_print ("%u processes: %.1f MiB of gradients summed, %.0f %% of them during the backward pass\n", rvm_parallel_get_size (),
        bytes / 1048576.0, 100.0 * overlapped / bytes);
}

/* Saves the steps that are not yet on the disk. @reason is why the run ends; @error gets it, with what has become of those steps. */
static void
save_before_failing (Run *run, guint64 saved, const GError *reason, GError **error)
{
  g_autoptr (GError) second = NULL;

  if (run->step == saved)
    rvm_error_set (error, reason->code, "%s", reason->message);
  else if (save (run, &second))
    rvm_error_set (error, reason->code, "%s\nThe %" G_GUINT64_FORMAT " steps before are saved; 'rvm-cl-train resume %s' continues from there.",
        reason->message, run->step, run->options->folder);
  else
    rvm_error_set (error, reason->code, "%s\nThe steps since %" G_GUINT64_FORMAT " are lost: %s", reason->message, saved,
        second->message);
  if (!run->alone)
    rvm_parallel_broadcast (0); /* the other processes end when that is done */
}

static gboolean
save_or_tell (Run *run, guint64 *saved, GError **error)
{
  if (run->step != *saved && !save (run, error)) {
    g_autofree char *path = rvm_checkpoint_get_path (run->options->folder, run->step);
    const gboolean is_there = g_file_test (path, G_FILE_TEST_EXISTS);
    const guint64 last = is_there ? run->step : *saved;

    g_prefix_error (error, "step %" G_GUINT64_FORMAT " cannot be saved%s: ", run->step, is_there ? " whole" : "");
    if (error && *error) {
      char *text = g_strdup_printf ("%s\nThe latest checkpoint is that of step %" G_GUINT64_FORMAT
                                    "; 'rvm-cl-train resume %s' continues from there.", (*error)->message, last, run->options->folder);
      g_free ((*error)->message);
      (*error)->message = text;
    }
    return FALSE;
  }
  *saved = run->step;
  return TRUE;
}

static gboolean
train (Run *run, GError **error)
{
  const guint64 last = run->options->stop_at ? MIN (run->options->stop_at, run->recipe.steps) : run->recipe.steps;
  guint64 saved = run->step;

  while (run->step < last && !is_interrupted ()) {
    const double rate = rvm_recipe_get_rate (&run->recipe, run->step);
    g_autoptr (GError) reason = NULL;
    gboolean updated;
    double waited, norm = 0;
    RvmMetric metric;

    if (!make_step (run, &updated, &waited, &metric, &norm, &reason)) {
      save_before_failing (run, saved, reason, error);
      return FALSE;
    }
    if (!updated)
      break;
    report (run, &metric, norm, rate, waited);
    if (run->step % run->recipe.checkpoint_every == 0 && !save_or_tell (run, &saved, error))
      return FALSE;
    if (run->recipe.picture_every && run->step % run->recipe.picture_every == 0 && !draw_pictures (run, &reason)) {
      run->alone = TRUE;
      save_before_failing (run, saved, reason, error);
      return FALSE;
    }
  }
  return save_or_tell (run, &saved, error);
}

static gboolean
check_recipe (Run *run, GError **error)
{
  const guint processes = rvm_parallel_get_size ();

  if (run->recipe.batch % processes != 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "training.batch is %u: expected a multiple of the %u processes", run->recipe.batch, processes);
    return FALSE;
  }
  run->shape = rvm_step_shape_of_recipe (&run->recipe, run->recipe.batch / processes);
  if ((guint64) run->recipe.side_max * run->recipe.side_max > (guint64) run->shape.samples * run->recipe.width * run->recipe.height) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "a frame of data.side-max (%u) squared does not fit into the %u samples of a process",
        run->recipe.side_max, run->shape.samples);
    return FALSE;
  }
  return TRUE;
}

/* All errors of the folder and the material are found here, before the first step. */
static gboolean
open_run (Run *run, RvmSampler *opened, GError **error)
{
  const RvmRunOptions *options = run->options;
  const gboolean writes = rvm_parallel_get_rank () == 0;
  const RvmShard shard = { rvm_parallel_get_rank (), rvm_parallel_get_size () };
  g_autoptr (RvmSampler) sampler = opened;
  g_autofree char *path = NULL;

  if (!rvm_run_load_recipe (options->folder, &run->recipe, error) || !check_recipe (run, error))
    return FALSE;
  path = find_checkpoint (run, error);
  if (path == NULL)
    return FALSE;
  sampler = rvm_run_open_material (options, &run->recipe, g_steal_pointer (&sampler), run->step, error);
  run->metadata = sampler ? rvm_run_make_metadata (options->folder, &run->recipe, rvm_sampler_get_material (sampler), error) : NULL;
  if (run->metadata == NULL || !open_checkpoint (run, path, error))
    return FALSE;
  run->source = rvm_source_new (&run->recipe, g_steal_pointer (&sampler), &shard, run->step * run->recipe.accumulate);
  if (!writes)
    return TRUE;
  run->metrics = rvm_metrics_open (options->folder, run->step, error);
  if (run->metrics == NULL)
    return FALSE;
  rvm_run_set_aside (options->folder, run->step);
  /* It is written after the checkpoint, so it may be missing. */
  return rvm_run_has_model (options->folder, run->step) || save_model (run, error);
}

RvmRunResult
rvm_run_resume (const RvmRunOptions *options, RvmSampler *opened, GError **error)
{
  g_auto (Run) run = { .options = options };
  const gboolean writes = rvm_parallel_get_rank () == 0;
  int lock = writes ? rvm_run_lock (options->folder, error) : -1;
  gboolean ok;

  if (writes && lock < 0) {
    g_clear_pointer (&opened, rvm_sampler_free);
    return RVM_RUN_FAILED;
  }
  ok = open_run (&run, opened, error);
  if (ok) {
    rvm_interrupts_catch ();
    run.progress = writes ? rvm_progress_new (run.step, run.recipe.steps, run.reduce == NULL) : NULL;
    ok = train (&run, error) && (!writes || rvm_metrics_flush (run.metrics, error));
    g_clear_pointer (&run.progress, rvm_progress_free);
    report_end (&run);
    rvm_interrupts_release ();
  }
  if (writes)
    close (lock);
  if (!ok)
    return RVM_RUN_FAILED;
  return run.step < run.recipe.steps ? RVM_RUN_INTERRUPTED : RVM_RUN_FINISHED;
}
