/* The closed form: of each fold the moments are found once, and every penalty is tried with those of the other folds. */
#include "dense_job.h"
#include "kernels/error.h"
#include "program/interrupts.h"

enum {
  MOST = 100,  /* pictures that a penalty is chosen on */
  MANY = 100,  /* cells for each input */
  UNTRIED = 2, /* the penalty if there is nothing to choose on, and the weakest one for few cells */
};

static const double ridges[] = { 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1 };
static const double priors[] = { 0, 0.5, 1 }; /* of labels */

static RvmDenseMoments *
moments_new (const RvmDenseJob *job, GError **error)
{
  const RvmClipFeatures *features = g_ptr_array_index (job->features, 0);
  const RvmTargetKind *kind = &job->report->kind;
  const RvmDenseShape shape
      = { job->rows, job->columns, features->dim, RVM_DENSE_BLOCK, kind->depth ? 1 : kind->classes, kind->depth };

  return rvm_dense_moments_new (&shape, error);
}

static void
free_moments (gpointer moments)
{
  rvm_dense_moments_free (moments);
}

/* Of the targets of which @used is TRUE. */
static RvmDenseMoments *
find_moments (RvmDenseJob *job, const gboolean *used, GError **error)
{
  g_autoptr (RvmDenseMoments) moments = moments_new (job, error);

  for (guint i = 0; moments && i < job->targets->targets->len; i++) {
    const float *map, *weight;

    if (!used[i])
      continue;
    if (rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; no readout was written, the features are kept");
      return NULL;
    }
    map = rvm_dense_windows_get_map (job->windows, i, &weight);
    rvm_dense_moments_add (moments, rvm_dense_windows_get_state (job->windows, i), map, weight);
  }
  return g_steal_pointer (&moments);
}

gboolean
rvm_dense_closed_answer (gpointer linear_and_windows, guint target, float *values, GError **error)
{
  const RvmDenseClosed *closed = linear_and_windows;

  rvm_dense_linear_answer (closed->linear, rvm_dense_windows_get_state (closed->windows, target), values);
  return TRUE;
}

/* Adds the answers of a choice to @most pictures of fold @held, from the moments of the others. */
static gboolean
try_fold (RvmDenseJob *job, const RvmDenseMoments *rest, const RvmDenseChoice *choice, guint held, guint most, RvmDenseMeasures *measures, GError **error)
{
  g_autoptr (RvmDenseLinear) linear = rvm_dense_linear_solve (rest, choice->ridge, choice->prior, error);
  g_autofree gboolean *which = g_new (gboolean, job->targets->targets->len);
  RvmDenseClosed closed = { linear, job->windows };

  if (linear == NULL)
    return FALSE;
  for (guint i = 0; i < job->targets->targets->len; i++)
    which[i] = job->fold[i] == held;
  return rvm_dense_job_measure (job, which, most, rvm_dense_closed_answer, &closed, measures, error);
}

/* (transfer full): of some pictures of every fold. */
static RvmDenseMeasures *
try_folds (RvmDenseJob *job, const GPtrArray *rests, double ridge, double prior, GError **error)
{
  g_autoptr (RvmDenseMeasures) measures = rvm_dense_measures_new (&job->report->kind);

  for (guint f = 0; f < job->folds; f++)
    if (!try_fold (job, g_ptr_array_index (rests, f), &(RvmDenseChoice){ .ridge = ridge, .prior = prior }, f, MAX (MOST / job->folds, 1), measures, error))
      return NULL;
  return g_steal_pointer (&measures);
}

/* Of each fold the moments of all others. */
static GPtrArray *
find_rests (RvmDenseJob *job, GError **error)
{
  g_autoptr (GPtrArray) rests = g_ptr_array_new_with_free_func (free_moments);
  g_autofree gboolean *used = g_new (gboolean, job->targets->targets->len);

  for (guint f = 0; f < job->folds; f++) {
    RvmDenseMoments *moments = moments_new (job, error);

    if (moments == NULL)
      return NULL;
    g_ptr_array_add (rests, moments);
  }
  for (guint f = 0; f < job->folds; f++) {
    g_autoptr (RvmDenseMoments) moments = NULL;

    for (guint i = 0; i < job->targets->targets->len; i++)
      used[i] = job->fold[i] == f;
    moments = find_moments (job, used, error);
    if (moments == NULL)
      return NULL;
    for (guint other = 0; other < job->folds; other++)
      if (other != f)
        rvm_dense_moments_add_all (g_ptr_array_index (rests, other), moments);
  }
  return g_steal_pointer (&rests);
}

static void
free_measures (gpointer measures)
{
  rvm_dense_measures_free (measures);
}

/* If there are far more cells than inputs, the weakest penalty that is not worse than the best one by more than a standard error of the difference: then it is
 * not needed against chance, and what a strong penalty leaves are the few directions of features that differ most from place to place in these pictures,
 * rather than those that say how far it is. If there are not, the weak ones are not tried: what they give for features that are a little different can be
 * far out. */
static gboolean
choose_ridge (RvmDenseJob *job, const GPtrArray *rests, RvmDenseChoice *choice, double *score, GError **error)
{
  const guint64 cells = (guint64) job->report->learned * job->rows * job->columns;
  const gboolean many = cells >= MANY * rvm_dense_moments_count_inputs (g_ptr_array_index (rests, 0));
  const guint first = many ? 0 : UNTRIED;
  g_autoptr (GPtrArray) tried = g_ptr_array_new_with_free_func (free_measures);
  guint best = 0, weakest = 0;

  for (guint r = first; r < G_N_ELEMENTS (ridges); r++) {
    RvmDenseMeasures *measures = try_folds (job, rests, ridges[r], choice->prior, error);

    if (measures == NULL)
      return FALSE;
    g_ptr_array_add (tried, measures);
    if (rvm_dense_job_get_score (job, measures) > rvm_dense_job_get_score (job, g_ptr_array_index (tried, best)))
      best = tried->len - 1;
  }
  while (weakest < best
         && (!many
             || rvm_dense_job_get_score (job, g_ptr_array_index (tried, weakest))
                    < rvm_dense_job_get_score (job, g_ptr_array_index (tried, best))
                          - rvm_dense_measure_get_error (g_ptr_array_index (tried, weakest), g_ptr_array_index (tried, best), &job->report->kind, 0)))
    weakest++;
  choice->ridge = ridges[first + weakest];
  *score = rvm_dense_job_get_score (job, g_ptr_array_index (tried, weakest));
  return TRUE;
}

static gboolean
choose_prior (RvmDenseJob *job, const GPtrArray *rests, RvmDenseChoice *choice, double score, GError **error)
{
  for (guint p = 1; p < G_N_ELEMENTS (priors) && !job->report->kind.depth; p++) {
    g_autoptr (RvmDenseMeasures) measures = try_folds (job, rests, choice->ridge, priors[p], error);

    if (measures == NULL)
      return FALSE;
    if (rvm_dense_job_get_score (job, measures) > score) {
      score = rvm_dense_job_get_score (job, measures);
      choice->prior = priors[p];
    }
  }
  return TRUE;
}

gboolean
rvm_dense_closed_choose (RvmDenseJob *job, RvmDenseChoice *choice, GError **error)
{
  g_autoptr (RvmDenseMeasures) part = rvm_dense_measures_new (&job->report->kind);
  g_autoptr (GPtrArray) rests = NULL;
  double score;

  *choice = (RvmDenseChoice){ .linear = TRUE, .ridge = ridges[UNTRIED], .prior = priors[0] };
  if (job->folds < 2)
    return TRUE;
  rests = find_rests (job, error);
  if (rests == NULL || !choose_ridge (job, rests, choice, &score, error) || !choose_prior (job, rests, choice, score, error)
      || !try_fold (job, g_ptr_array_index (rests, job->part), choice, job->part, RVM_DENSE_JUDGED, part, error))
    return FALSE;
  choice->score = rvm_dense_job_get_score (job, part);
  return TRUE;
}

RvmDenseLinear *
rvm_dense_closed_fit (RvmDenseJob *job, const RvmDenseChoice *choice, const gboolean *used, GError **error)
{
  g_autoptr (RvmDenseMoments) moments = find_moments (job, used, error);

  return moments ? rvm_dense_linear_solve (moments, choice->ridge, choice->prior, error) : NULL;
}

GPtrArray *
rvm_dense_closed_read (const RvmDenseLinear *linear)
{
  const RvmPatchNetwork *network = linear->network;
  const guint64 kernel[] = { network->rings, network->dim, network->outputs }, places[] = { network->code, network->outputs };
  const guint64 bias[] = { network->outputs };
  GPtrArray *arrays = rvm_readout_arrays_new ();

  rvm_readout_arrays_add (arrays, "patches/kernel", g_memdup2 (network->kernel, kernel[0] * kernel[1] * kernel[2] * sizeof (float)), 3, kernel);
  rvm_readout_arrays_add (arrays, "patches/bias", g_memdup2 (network->bias, bias[0] * sizeof (float)), 1, bias);
  rvm_readout_arrays_add (arrays, "places/kernel", g_memdup2 (network->places, places[0] * places[1] * sizeof (float)), 2, places);
  return arrays;
}
