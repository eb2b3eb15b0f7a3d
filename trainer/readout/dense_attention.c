/* Attention: trained until pictures that are held out are no longer answered better, and then once more, as many steps, on all that there is. */
#include <math.h>

#include "dense_job.h"
#include "place_start.h"

enum {
  CODE = 20,         /* five octaves of each coordinate */
  START_STATES = 40, /* that the closed form at the beginning is found from */
  FIRST = 25,        /* steps after which they are looked at first */
};

#define RATE 4e-3
#define DECAY 0.05
#define FIRST_OUTPUTS 0.1 /* how large random outputs are, besides the mean of the training pictures */

/* The first guess of all outputs is about what the training pictures are on average. */
static gboolean
start_outputs (const RvmDenseJob *job, RvmReadoutStep *step, guint width, GError **error)
{
  const guint channels = job->report->kind.depth ? 1 : job->report->kind.classes, outputs = RVM_DENSE_BLOCK * RVM_DENSE_BLOCK * channels;
  g_autofree float *map = g_new (float, (gsize) job->rows *job->columns *outputs), *constant = g_new (float, channels);
  g_autofree float *bias = g_new (float, outputs), *kernel = g_new (float, (gsize) width *outputs);

  rvm_dense_windows_average (job->windows, map, constant);
  for (guint i = 0; i < outputs; i++)
    bias[i] = job->report->kind.depth ? constant[0] : logf (constant[i % channels] + 1e-4f);
  if (!rvm_readout_step_read (step, "Dense_1/kernel", kernel, error))
    return FALSE;
  for (gsize i = 0; i < (gsize) width * outputs; i++)
    kernel[i] *= FIRST_OUTPUTS;
  return rvm_readout_step_write (step, "Dense_1/kernel", kernel, error) && rvm_readout_step_write (step, "Dense_1/bias", bias, error);
}

/* The states are as they come, so it is only done where no reference is subtracted from them. */
static gboolean
start (const RvmDenseJob *job, RvmAttentionTraining *training, const RvmAttentionOptions *of, const gboolean *used, GError **error)
{
  const guint n = job->targets->targets->len, heads = rvm_attention_training_count_heads (of->width);
  const RvmPlaceStart place = { of->dim, of->code, of->mlp, of->width, heads, job->rows, job->columns };
  RvmReadoutStep *step = rvm_attention_training_get_step (training);
  g_autoptr (GPtrArray) states = g_ptr_array_new ();

  for (guint i = 0; i < n; i++)
    if (used == NULL || used[i])
      g_ptr_array_add (states, (gpointer) rvm_dense_windows_get_state (job->windows, i));
  for (guint i = 0; states->len > START_STATES && i < START_STATES; i++) /* from all of the material */
    states->pdata[i] = states->pdata[(guint64) i * states->len / START_STATES];
  if (job->options->reference == RVM_REFERENCE_NONE && of->code <= of->width / heads && 2 * of->code <= of->mlp
      && !rvm_place_start (step, &place, (const float *const *) states->pdata, MIN (states->len, START_STATES), error))
    return FALSE;
  if (!start_outputs (job, step, of->width, error))
    return FALSE;
  rvm_readout_step_begin (step);
  return TRUE;
}

/* Begun, from the targets of which @used is TRUE. */
static RvmAttentionTraining *
begin (RvmDenseJob *job, RvmModel *model, gboolean encoder, guint64 end, const RvmTrainingJudge *judge, const gboolean *used, GError **error)
{
  const RvmDenseOptions *options = job->options;
  const RvmTargetKind *kind = &job->report->kind;
  const guint dim = rvm_model_get_config (model)->encoder.dim, channels = kind->depth ? 1 : kind->classes;
  g_auto (GStrv) names = g_new0 (char *, channels + 1);
  const RvmReadoutInfo info = {
    .kind = (char *) "dense", .model = (char *) rvm_model_get_id (model), .width = options->width, .height = options->height,
    .window = options->window, .stride = options->stride, .reference = options->reference, .classes = kind->depth ? NULL : names,
    .target = (char *) (kind->depth ? "depth" : "labels"),
  };
  const RvmAttentionOptions of = {
    .device = rvm_model_get_device (model), .dim = dim, .outputs = RVM_DENSE_BLOCK * RVM_DENSE_BLOCK * channels, .width = dim, .mlp = 2 * dim,
    .code = CLAMP (dim / rvm_attention_training_count_heads (dim) / 4 * 4, 4, CODE),
    .shape = { RVM_DENSE_BATCH, options->window, job->rows, job->columns }, .steps = options->steps, .seed = options->seed, .end = end, .judge = judge,
    .rate = RATE, .decay = DECAY,
  };
  g_autoptr (RvmAttentionTraining) training = NULL;

  for (guint c = 0; c < channels; c++)
    names[c] = g_strdup_printf ("%u", c);
  rvm_dense_windows_use (job->windows, job->features, encoder, used);
  training = rvm_attention_training_new (&of, &info, error);
  return training && start (job, training, &of, used, error) ? g_steal_pointer (&training) : NULL;
}

static gboolean
run (RvmDenseJob *job, RvmAttentionTraining *training, guint64 steps, const char *what, GError **error)
{
  g_autoptr (RvmProgress) progress = rvm_progress_new (0, steps, TRUE);
  RvmTrainingProgress told = { progress, 0, what };
  const RvmWindowSource source = rvm_dense_windows_get_source (job->windows);

  return rvm_attention_training_run (training, &source, &told, error);
}

gboolean
rvm_dense_attention_answer (gpointer training_and_windows, guint target, float *values, GError **error)
{
  RvmDenseAttention *attention = training_and_windows;
  RvmReadoutBatch batch;
  double loss;

  rvm_dense_windows_take (attention->windows, target, &batch);
  return rvm_readout_step_forward (rvm_attention_training_get_step (attention->training), &batch, &loss, values, error);
}

typedef struct {
  RvmDenseJob *job;
  RvmAttentionTraining *training;
  RvmDenseChoice *choice;
  gboolean *held; /* (targets) */
  guint64 next;   /* steps after which it is measured */
} Judging;

/* Measured more and more seldom. It ends when twice as many steps as were best, and some more, have brought nothing. */
static gboolean
judge (gpointer user_data, guint64 steps, gboolean *end, GError **error)
{
  Judging *judging = user_data;
  const RvmTargetKind *kind = &judging->job->report->kind;
  RvmDenseChoice *choice = judging->choice;
  RvmDenseAttention attention = { judging->training, judging->job->windows };
  g_autoptr (RvmDenseMeasures) measures = NULL;
  double score;

  if (steps != judging->next && steps != judging->job->options->steps)
    return TRUE;
  judging->next = steps + MAX (FIRST, steps / 4);
  measures = rvm_dense_measures_new (kind);
  if (!rvm_dense_job_measure (judging->job, judging->held, RVM_DENSE_JUDGED, rvm_dense_attention_answer, &attention, measures, error))
    return FALSE;
  score = rvm_dense_job_get_score (judging->job, measures);
  if (choice->steps == 0 || score > choice->score) {
    choice->score = score;
    choice->steps = steps;
  }
  *end = steps >= 2 * choice->steps + FIRST;
  return TRUE;
}

gboolean
rvm_dense_attention_choose (RvmDenseJob *job, RvmModel *model, gboolean encoder, RvmDenseChoice *choice, GError **error)
{
  g_autofree gboolean *used = rvm_dense_job_select (job, job->part), *held = g_new (gboolean, job->targets->targets->len);
  Judging judging = { job, NULL, choice, held, FIRST };
  const RvmTrainingJudge asked = { judge, &judging };
  gboolean good;

  *choice = (RvmDenseChoice){ .steps = job->options->steps };
  if (job->folds < 2)
    return TRUE;
  choice->steps = 0;
  for (guint i = 0; i < job->targets->targets->len; i++)
    held[i] = job->fold[i] == job->part;
  judging.training = begin (job, model, encoder, 0, &asked, used, error);
  good = judging.training && run (job, judging.training, job->options->steps, "how many steps are enough", error);
  rvm_attention_training_free (judging.training);
  return good;
}

RvmAttentionTraining *
rvm_dense_attention_fit (RvmDenseJob *job, RvmModel *model, gboolean encoder, const RvmDenseChoice *choice, const gboolean *used, const char *what,
                         GError **error)
{
  g_autoptr (RvmAttentionTraining) training = begin (job, model, encoder, choice->steps, NULL, used, error);

  return training && run (job, training, choice->steps, what, error) ? g_steal_pointer (&training) : NULL;
}
