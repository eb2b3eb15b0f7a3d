/* The readout's network, attention or the closed form, is chosen on pictures that are held out of those that are learned from. Every row of the table that is
 * of features of another kind is made in the same way, with the same network. */
#include "dense_readout.h"

#include <math.h>
#include <string.h>

#include "dense_job.h"
#include "kernels/error.h"
#include "program/interrupts.h"
#include "trainer/run/initialise.h"

enum { MANY = 50 /* pictures to learn from, from which on attention is tried, too */ };

#define HELD_OUT 0.2 /* of the pictures */

typedef RvmDenseJob Job;

/* Before the last @back rows. */
static RvmDenseMeasures *
add_row (Job *job, const char *name, guint back)
{
  RvmDenseRow row = { g_strdup (name), rvm_dense_measures_new (&job->report->kind) };

  g_array_insert_val (job->report->rows, job->report->rows->len - back, row);
  return row.measures;
}

static guint
get_group (const RvmTargets *targets, guint i)
{
  const RvmTarget *target = g_ptr_array_index (targets->targets, i);

  return ((RvmLabelledClip *) g_ptr_array_index (targets->labelled->clips, target->clip))->group;
}

/* The last groups, as many as have a fifth of the pictures; of a single group, its last fifth. */
static void
split_groups (Job *job)
{
  const guint n = job->targets->targets->len, wanted = MAX (n * HELD_OUT, 1);
  const guint groups = job->targets->labelled->groups->len;
  g_autoptr (GString) names = g_string_new (NULL);
  guint held_out = 0;

  job->report->near = groups == 1;
  for (guint group = groups; groups > 1 && group-- > 1 && held_out < wanted;) {
    for (guint i = 0; i < n; i++) {
      job->test[i] = job->test[i] || get_group (job->targets, i) == group;
      held_out += get_group (job->targets, i) == group;
    }
    g_string_append_printf (names, "%s%s", names->len ? ", " : "", (char *) g_ptr_array_index (job->targets->labelled->groups, group));
  }
  for (guint i = n - wanted; groups == 1 && i < n; i++)
    job->test[i] = TRUE;
  job->report->split
      = groups == 1 ? g_strdup ("the last fifth of the only group") : g_strdup_printf ("those of the groups %s", names->str);
}

/* Adds the clips and targets of @test to those of the job. */
static void
append (Job *job, RvmTargets *test)
{
  GPtrArray *clips = job->targets->labelled->clips;
  const guint first = clips->len;

  for (guint i = 0; i < test->labelled->clips->len; i++) {
    const RvmLabelledClip *clip = g_ptr_array_index (test->labelled->clips, i);

    rvm_labelled_add (job->targets->labelled, clip->path, clip->pictures ? g_ptr_array_ref (clip->pictures) : NULL, "held out");
  }
  for (guint i = 0; i < test->targets->len; i++) {
    RvmTarget *target = g_ptr_array_index (test->targets, i);

    target->clip += first;
  }
  g_ptr_array_extend_and_steal (job->targets->targets, g_ptr_array_ref (test->targets));
}

static gboolean
prepare (Job *job, RvmTargets *test, GError **error)
{
  const guint learned = job->targets->targets->len;
  guint held_out = 0;

  job->report->kind = job->options->kind;
  job->frames = rvm_features_count_frames (job->targets->labelled, job->options->cache_dir, error);
  if (job->frames == NULL || !rvm_targets_check (job->targets, job->frames, &job->report->kind, error))
    return FALSE;
  job->report->rate = job->frames[0].rate;
  if (test) {
    g_autofree RvmClipFrames *frames = rvm_features_count_frames (test->labelled, job->options->cache_dir, error);

    if (frames == NULL || !rvm_targets_check (test, frames, &job->report->kind, error))
      return FALSE;
    job->frames = g_renew (RvmClipFrames, job->frames, job->targets->labelled->clips->len + test->labelled->clips->len);
    memcpy (job->frames + job->targets->labelled->clips->len, frames, test->labelled->clips->len * sizeof *frames);
    append (job, test);
    job->report->split = g_strdup ("other data");
  }
  job->test = g_new0 (gboolean, job->targets->targets->len);
  for (guint i = learned; i < job->targets->targets->len; i++)
    job->test[i] = TRUE;
  if (!test)
    split_groups (job);
  for (guint i = 0; i < job->targets->targets->len; i++)
    held_out += job->test[i];
  job->report->held_out = held_out;
  job->report->learned = job->targets->targets->len - held_out;
  if (job->report->learned && held_out && (job->report->kind.depth || job->report->kind.classes >= 2))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FORMAT, "expected at least one picture to learn from and one to measure with%s; found %u and %u",
      job->report->kind.depth ? "" : ", with at least two labels", job->report->learned, held_out);
  return FALSE;
}

static void
free_features (gpointer features)
{
  rvm_clip_features_free (features);
}

/* Those of the kind that is not needed are let go. */
static gboolean
load_features (Job *job, RvmModel *model, const char *what, GError **error)
{
  const RvmFeatureSettings settings = { model, job->options->width, job->options->height, 1, 1, FALSE, job->options->cache_dir, 0 };

  g_clear_pointer (&job->features, g_ptr_array_unref);
  if (!rvm_features_compute (&settings, job->targets->labelled, job->frames, what, error))
    return FALSE;
  job->features = g_ptr_array_new_with_free_func (free_features);
  for (guint i = 0; i < job->targets->labelled->clips->len; i++) {
    RvmClipFeatures *features = rvm_features_load (&settings, g_ptr_array_index (job->targets->labelled->clips, i), error);

    if (features == NULL)
      return FALSE;
    g_ptr_array_add (job->features, features);
  }
  return TRUE;
}

static gboolean
make_windows (Job *job, GError **error)
{
  job->windows = rvm_dense_windows_new (&(RvmDenseWindowsOptions){
                                            .targets = job->targets, .kind = &job->report->kind, .features = job->features,
                                            .window = job->options->window, .stride = job->options->stride, .rows = job->rows,
                                            .columns = job->columns, .block = RVM_DENSE_BLOCK, .batch = RVM_DENSE_BATCH,
                                        },
                                        error);
  return job->windows != NULL;
}

static gboolean
choose (Job *job, RvmModel *model, gboolean encoder, gboolean linear, RvmDenseChoice *choice, GError **error)
{
  rvm_dense_windows_use (job->windows, job->features, encoder, NULL);
  return linear ? rvm_dense_closed_choose (job, choice, error) : rvm_dense_attention_choose (job, model, encoder, choice, error);
}

/* Trained on the targets of which @used is TRUE. Measured on those that are held out if there are @measures, and read to @arrays, unless that is NULL. */
static gboolean
fit (Job *job, RvmModel *model, gboolean encoder, const RvmDenseChoice *choice, const gboolean *used, const char *what, RvmDenseMeasures *measures,
     GPtrArray **arrays, GError **error)
{
  rvm_dense_windows_use (job->windows, job->features, encoder, used);
  if (choice->linear) {
    g_autoptr (RvmDenseLinear) linear = rvm_dense_closed_fit (job, choice, used, error);
    RvmDenseClosed closed = { linear, job->windows };

    if (linear == NULL || (measures && !rvm_dense_job_measure (job, job->test, 0, rvm_dense_closed_answer, &closed, measures, error)))
      return FALSE;
    if (arrays)
      *arrays = rvm_dense_closed_read (linear);
  } else {
    g_autoptr (RvmAttentionTraining) training = rvm_dense_attention_fit (job, model, encoder, choice, used, what, error);
    RvmDenseAttention attention = { training, job->windows };

    if (training == NULL || (measures && !rvm_dense_job_measure (job, job->test, 0, rvm_dense_attention_answer, &attention, measures, error)))
      return FALSE;
    if (arrays)
      *arrays = rvm_attention_training_read (training, 1, error);
  }
  return !arrays || *arrays;
}

static char *
name_row (gboolean linear, const char *of, gboolean readout)
{
  return g_strdup_printf ("%s%s %s", readout ? "the readout: " : "", linear ? "closed form of" : "attention to", of);
}

/* A row of other features, with the network that was chosen: the closed form with a penalty of its own, attention for as many steps as the readout. */
static gboolean
add_other (Job *job, RvmModel *model, gboolean encoder, const RvmDenseChoice *readout, const char *of, guint back, GError **error)
{
  g_autofree char *name = name_row (readout->linear, of, FALSE);
  g_autofree gboolean *used = rvm_dense_job_select (job, G_MAXUINT);
  RvmDenseChoice choice = *readout;

  return (!readout->linear || choose (job, model, encoder, TRUE, &choice, error))
         && fit (job, model, encoder, &choice, used, name, add_row (job, name, back), NULL, error);
}

/* What needs no network: the same answer everywhere, and a map that is always the same. */
static gboolean
add_constants (Job *job, GError **error)
{
  const RvmTargetKind *kind = &job->report->kind;
  const guint rows = job->rows * RVM_DENSE_BLOCK, columns = job->columns * RVM_DENSE_BLOCK, channels = kind->depth ? 1 : kind->classes;
  const gsize values = (gsize) rows * columns * channels;
  g_autofree gboolean *used = rvm_dense_job_select (job, G_MAXUINT);
  g_autofree float *map = g_new (float, values), *constant = g_new (float, channels), *flat = g_new (float, values);
  RvmDenseMeasures *of_constant, *of_map;

  rvm_dense_windows_use (job->windows, job->features, FALSE, used);
  rvm_dense_windows_average (job->windows, map, constant);
  for (gsize i = 0; i < values; i++) {
    flat[i] = kind->depth ? expf (constant[0]) : constant[i % channels];
    map[i] = kind->depth ? expf (map[i]) : map[i];
  }
  of_constant = add_row (job, kind->depth ? "the mean depth everywhere" : "the commonest label everywhere", 0);
  of_map = add_row (job, "the mean map of the training pictures", 0);
  for (guint i = 0; i < job->targets->targets->len; i++) {
    g_autoptr (RvmTargetMap) truth = job->test[i] ? rvm_target_load (g_ptr_array_index (job->targets->targets, i), kind, error) : NULL;

    if (job->test[i] && truth == NULL)
      return FALSE;
    if (truth) {
      rvm_dense_measures_add (of_constant, truth, kind, flat, rows, columns);
      rvm_dense_measures_add (of_map, truth, kind, map, rows, columns);
    }
  }
  return TRUE;
}

static gboolean
add_untrained (Job *job, gboolean encoder, const RvmDenseChoice *readout, guint back, GError **error)
{
  RvmConfig config = *rvm_model_get_config (job->model);
  g_autoptr (RvmModel) untrained = NULL;

  config.decoder.layers = 0;
  untrained = rvm_initialise_model (&config, job->options->model_options, FALSE, error);
  if (untrained == NULL)
    return FALSE;
  rvm_interrupts_catch (); /* which rvm_initialise_model() has let go */
  return load_features (job, untrained, "pictures through the untrained network", error)
         && add_other (job, untrained, encoder, readout, "the untrained network", back, error);
}

/* What was chosen, for people. */
static void
describe (Job *job, const RvmDenseChoice *choices, const gboolean *tried, guint best)
{
  GString *text = g_string_new (NULL);
  const char *measure = rvm_dense_measure_name (&job->report->kind, 0);

  for (guint i = 0; i < 2; i++)
    if (tried[i]) {
      g_string_append_printf (text, "%s%s, ", text->len ? "; " : "", i ? "attention" : "closed form");
      if (i)
        g_string_append_printf (text, "%" G_GUINT64_FORMAT " steps", choices[i].steps);
      else
        g_string_append_printf (text, job->report->kind.depth ? "penalty %g" : "penalty %g, shares to the power of %g", choices[i].ridge, choices[i].prior);
      if (job->folds > 1)
        g_string_append_printf (text, ": %s %.3f", measure, fabs (choices[i].score));
    }
  if (job->folds > 1)
    g_string_append_printf (text, " on pictures held out of those that are learned from%s",
                            tried[0] && tried[1] ? (best ? "; attention is kept" : "; the closed form is kept") : "");
  job->report->choice = g_string_free (text, FALSE);
}

/* The readout is made from all pictures, unless what was held out is only to measure. The rows are in order: the network that was not kept before the other. */
static gboolean
make_readout (Job *job, gboolean encoder, gboolean test_given, RvmDenseChoice *kept, GError **error)
{
  const char *of = encoder ? "encoder features" : "states";
  const RvmDenseNetwork network = job->options->network;
  const gboolean tried[] = { network != RVM_DENSE_ATTENTION, network == RVM_DENSE_ATTENTION || (network == RVM_DENSE_AUTO && job->report->learned >= MANY) };
  g_autofree gboolean *used = rvm_dense_job_select (job, G_MAXUINT), *all = g_new (gboolean, job->targets->targets->len);
  RvmDenseChoice choices[2];
  guint best;

  for (guint i = 0; i < job->targets->targets->len; i++)
    all[i] = TRUE;
  for (guint i = 0; i < 2; i++)
    if (tried[i] && !choose (job, job->model, encoder, i == 0, &choices[i], error))
      return FALSE;
  best = !tried[0] || (tried[1] && job->folds > 1 && choices[1].score > choices[0].score);
  *kept = choices[best];
  describe (job, choices, tried, best);
  for (guint turn = 0; turn < 2; turn++) {
    const guint i = turn ? best : !best;
    g_autofree char *name = name_row (i == 0, of, turn);

    if (tried[i] && !fit (job, job->model, encoder, &choices[i], used, name, add_row (job, name, 0), turn && test_given ? &job->report->arrays : NULL, error))
      return FALSE;
  }
  job->report->linear = best == 0;
  job->rows_of_readout = tried[0] + tried[1];
  return test_given
         || fit (job, job->model, encoder, kept, all, "the readout of all pictures", NULL, &job->report->arrays, error);
}

static gboolean
run (Job *job, RvmTargets *test, GError **error)
{
  const gboolean encoder = job->options->features == RVM_READOUT_ENCODER;
  RvmDenseChoice kept;

  if (!prepare (job, test, error) || !load_features (job, job->model, "pictures through the model", error) || !make_windows (job, error)
      || !add_constants (job, error))
    return FALSE;
  rvm_dense_job_divide (job);
  return make_readout (job, encoder, test != NULL, &kept, error)
         && add_other (job, job->model, !encoder, &kept, encoder ? "states" : "encoder features", job->rows_of_readout, error)
         && add_untrained (job, encoder, &kept, job->rows_of_readout + 1, error);
}

RvmDenseReport *
rvm_dense_readout_train (const RvmDenseOptions *options, RvmModel *model, RvmTargets *data, RvmTargets *test, GError **error)
{
  const guint patch = rvm_model_get_config (model)->patch;
  g_autoptr (RvmDenseReport) report = rvm_dense_report_new ();
  Job job = { .options = options, .targets = data, .model = model, .report = report, .rows = options->height / patch, .columns = options->width / patch };
  gboolean good;

  good = run (&job, test, error);
  g_clear_pointer (&job.windows, rvm_dense_windows_free);
  g_clear_pointer (&job.features, g_ptr_array_unref);
  g_free (job.frames);
  g_free (job.test);
  g_free (job.fold);
  return good ? g_steal_pointer (&report) : NULL;
}
