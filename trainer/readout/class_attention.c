#include "class_attention.h"

#include <math.h>

#include "class_windows.h"

enum { BATCH = 32, LEAST_STEPS = 80 };

typedef struct {
  const RvmClassAttention *attention;
  RvmReadoutInfo info;
  RvmTrainingProgress progress;
  guint64 trainings;
} Job;

static guint64
count_steps (const RvmClassAttention *attention, guint clips)
{
  return MAX ((guint64) attention->epochs * clips / BATCH, LEAST_STEPS);
}

/* One readout from the clips of which @used is TRUE. */
static RvmAttentionTraining *
train (Job *job, const gboolean *used, RvmClassWindows **windows, GError **error)
{
  const RvmClassAttention *attention = job->attention;
  const guint clips = attention->labelled->clips->len;
  const RvmClassWindowsOptions of_windows = {
    attention->labelled, attention->sequences, used, attention->dim, job->info.window, job->info.stride, attention->phases, BATCH,
  };
  const RvmAttentionOptions options = {
    .device = attention->device, .dim = attention->dim, .outputs = attention->labelled->classes->len, .width = 2 * attention->dim,
    .mlp = 4 * attention->dim, .shape = { BATCH, job->info.window, job->info.cells, job->info.cells },
    .steps = count_steps (attention, clips), .seed = attention->seed, .rate = 4e-3, .decay = 0.1,
  };
  g_autoptr (RvmAttentionTraining) training = rvm_attention_training_new (&options, &job->info, error);
  g_autoptr (RvmClassWindows) drawn = rvm_class_windows_new (&of_windows);
  const RvmWindowSource source = rvm_class_windows_get_source (drawn);

  if (training == NULL || !rvm_attention_training_run (training, &source, &job->progress, error))
    return NULL;
  *windows = g_steal_pointer (&drawn);
  return g_steal_pointer (&training);
}

static gboolean
score (Job *job, RvmAttentionTraining *training, RvmClassWindows *windows, const RvmSequence *sequence, guint phase, double *scores,
       GError **error)
{
  const guint classes = job->attention->labelled->classes->len;
  g_autofree float *values = g_new (float, classes);
  RvmReadoutBatch batch;
  double loss;

  rvm_class_windows_take (windows, sequence, phase, &batch);
  if (!rvm_readout_step_forward (rvm_attention_training_get_step (training), &batch, &loss, values, error))
    return FALSE;
  for (guint c = 0; c < classes; c++)
    scores[c] = log (MAX (values[c], 1e-30));
  return TRUE;
}

static void
begin (Job *job, const RvmClassAttention *attention, guint trainings)
{
  const guint64 steps = count_steps (attention, attention->labelled->clips->len);

  *job = (Job){ attention, *attention->info, .progress = { rvm_progress_new (0, steps * trainings, TRUE), 0, "attention readout" } };
  job->info.cells = rvm_class_windows_get_cells (g_ptr_array_index (attention->sequences, 0));
}

static gboolean
measure_fold (Job *job, guint fold, RvmHeldOut *held_out, GError **error)
{
  const RvmClassAttention *attention = job->attention;
  const guint clips = attention->labelled->clips->len, classes = attention->labelled->classes->len;
  g_autofree gboolean *used = g_new (gboolean, clips);
  g_autofree char *what = g_strdup_printf ("attention readout, fold %u of %u", fold + 1, attention->folds->n);
  g_autoptr (RvmClassWindows) windows = NULL;
  g_autoptr (RvmAttentionTraining) training = NULL;

  for (guint i = 0; i < clips; i++)
    used[i] = attention->folds->of_clip[i] != fold;
  job->progress.what = what;
  training = train (job, used, &windows, error);
  if (training == NULL)
    return FALSE;
  for (guint i = 0; i < clips; i++) {
    const gsize at = (gsize) i * classes;

    if (used[i])
      continue;
    if (!score (job, training, windows, g_ptr_array_index (attention->sequences, i), 0, held_out->scores + at, error)
        || !score (job, training, windows, g_ptr_array_index (attention->sequences, i), attention->folds->phase[i], held_out->random_scores + at, error)
        || (attention->others
            && !score (job, training, windows, g_ptr_array_index (attention->others, i), 0, held_out->other_scores + at, error)))
      return FALSE;
  }
  return TRUE;
}

RvmHeldOut *
rvm_class_attention_measure (const RvmClassAttention *attention, GError **error)
{
  const gsize values = (gsize) attention->labelled->clips->len * attention->labelled->classes->len;
  g_autoptr (RvmHeldOut) held_out = g_new0 (RvmHeldOut, 1);
  gboolean good = TRUE;
  Job job;

  begin (&job, attention, attention->folds->n);
  held_out->scores = g_new0 (double, values);
  held_out->random_scores = g_new0 (double, values);
  held_out->other_scores = attention->others ? g_new0 (double, values) : NULL;
  for (guint fold = 0; good && fold < attention->folds->n; fold++)
    good = measure_fold (&job, fold, held_out, error);
  rvm_progress_free (job.progress.progress);
  return good ? g_steal_pointer (&held_out) : NULL;
}

GPtrArray *
rvm_class_attention_fit_all (const RvmClassAttention *attention, double factor, GError **error)
{
  g_autoptr (RvmClassWindows) windows = NULL;
  g_autoptr (RvmAttentionTraining) training = NULL;
  Job job;

  begin (&job, attention, 1);
  job.progress.what = "attention readout of all clips";
  training = train (&job, NULL, &windows, error);
  rvm_progress_free (job.progress.progress);
  return training ? rvm_attention_training_read (training, factor, error) : NULL;
}
