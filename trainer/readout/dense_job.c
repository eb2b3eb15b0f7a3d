/* Folds of the pictures that are learned from, and measuring on some of them. */
#include "dense_job.h"

#include <stdlib.h>

#include "kernels/error.h"
#include "program/interrupts.h"

static guint
get_group (const RvmTargets *targets, guint i)
{
  const RvmTarget *target = g_ptr_array_index (targets->targets, i);

  return ((RvmLabelledClip *) g_ptr_array_index (targets->labelled->clips, target->clip))->group;
}

/* Each group goes to the fold that has the fewest pictures. Returns how many groups there are. */
static guint
divide_groups (RvmDenseJob *job, guint *pictures)
{
  const guint n = job->targets->targets->len, groups = job->targets->labelled->groups->len;
  g_autofree guint *in_group = g_new0 (guint, groups);
  guint found = 0;

  for (guint i = 0; i < n; i++)
    in_group[get_group (job->targets, i)] += !job->test[i];
  for (guint group = 0; group < groups; group++) {
    guint least = 0;

    for (guint f = 1; f < RVM_DENSE_FOLDS; f++)
      if (pictures[f] < pictures[least])
        least = f;
    for (guint i = 0; i < n; i++)
      if (!job->test[i] && get_group (job->targets, i) == group)
        job->fold[i] = least;
    pictures[least] += in_group[group];
    found += in_group[group] > 0;
  }
  return found;
}

void
rvm_dense_job_divide (RvmDenseJob *job)
{
  const guint n = job->targets->targets->len, learned = job->report->learned;
  guint pictures[RVM_DENSE_FOLDS] = { 0 }, groups, seen = 0;

  job->fold = g_new (guint, n);
  for (guint i = 0; i < n; i++)
    job->fold[i] = G_MAXUINT;
  groups = divide_groups (job, pictures);
  job->folds = MIN (groups > 1 ? groups : learned, RVM_DENSE_FOLDS);
  for (guint i = 0; i < n && groups == 1; i++) /* stretches */
    if (!job->test[i])
      job->fold[i] = (guint64) seen++ * job->folds / learned;
  for (guint f = 0; f < job->folds && groups == 1; f++)
    pictures[f] = learned / job->folds;
  job->part = job->folds - 1;
  for (guint f = 0; f < job->folds; f++)
    if (abs ((int) (pictures[f] * RVM_DENSE_FOLDS) - (int) learned) < abs ((int) (pictures[job->part] * RVM_DENSE_FOLDS) - (int) learned))
      job->part = f;
}

gboolean *
rvm_dense_job_select (const RvmDenseJob *job, guint fold)
{
  gboolean *used = g_new (gboolean, job->targets->targets->len);

  for (guint i = 0; i < job->targets->targets->len; i++)
    used[i] = !job->test[i] && (fold == G_MAXUINT || job->fold[i] != fold);
  return used;
}

double
rvm_dense_job_get_score (const RvmDenseJob *job, const RvmDenseMeasures *measures)
{
  const double value = rvm_dense_measure_get (measures, &job->report->kind, 0);

  return job->report->kind.depth ? -value : value;
}

gboolean
rvm_dense_job_measure (const RvmDenseJob *job, const gboolean *which, guint most, RvmDenseAnswer answer, gpointer user_data,
                       RvmDenseMeasures *measures, GError **error)
{
  const RvmTargetKind *kind = &job->report->kind;
  const guint rows = job->rows * RVM_DENSE_BLOCK, columns = job->columns * RVM_DENSE_BLOCK;
  g_autofree float *values = g_new (float, (gsize) rows *columns *(kind->depth ? 1 : kind->classes));
  guint n = 0, seen = 0;

  for (guint i = 0; i < job->targets->targets->len; i++)
    n += which[i] != 0;
  for (guint i = 0; i < job->targets->targets->len; i++) {
    g_autoptr (RvmTargetMap) map = NULL;

    if (!which[i])
      continue;
    if (most && n > most && (guint64) seen * most / n == (guint64) (seen + 1) * most / n) {
      seen++;
      continue;
    }
    seen++;
    if (rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; no readout was written, the features are kept");
      return FALSE;
    }
    map = rvm_target_load (g_ptr_array_index (job->targets->targets, i), kind, error);
    if (map == NULL || !answer (user_data, i, values, error))
      return FALSE;
    rvm_dense_measures_add (measures, map, kind, values, rows, columns);
  }
  return TRUE;
}
