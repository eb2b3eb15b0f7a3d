/* Every row of the table that is an attention readout is trained in the same way, on features of another kind. */
#include "dense_readout.h"

#include <math.h>
#include <string.h>

#include "dense_windows.h"
#include "kernels/error.h"
#include "place_start.h"
#include "program/interrupts.h"
#include "trainer/run/initialise.h"

enum {
  BATCH = 4,
  BLOCK = 2,         /* places along a side of a patch */
  CODE = 20,         /* five octaves of each coordinate */
  START_STATES = 40, /* that the closed form at the beginning is found from */
};

#define RATE 4e-3
#define DECAY 0.05
#define HELD_OUT 0.2 /* of the pictures */
#define FIRST_OUTPUTS 0.1 /* how large random outputs are, besides the mean of the training pictures */

typedef struct {
  const RvmDenseOptions *options;
  RvmTargets *targets;
  RvmClipFrames *frames;
  RvmDenseReport *report;
  gboolean *test;    /* (targets): which are held out */
  guint rows, columns;
  GPtrArray *features; /* (element-type RvmClipFeatures) of the model that is measured at the time */
} Job;

static void
row_clear (gpointer data)
{
  RvmDenseRow *row = data;

  g_free (row->name);
  rvm_dense_measures_free (row->measures);
}

void
rvm_dense_report_free (RvmDenseReport *report)
{
  if (report == NULL)
    return;
  g_array_unref (report->rows);
  g_free (report->split);
  g_clear_pointer (&report->arrays, g_ptr_array_unref);
  g_free (report);
}

static RvmDenseMeasures *
add_row (Job *job, const char *name)
{
  RvmDenseRow row = { g_strdup (name), rvm_dense_measures_new (&job->report->kind) };

  g_array_append_val (job->report->rows, row);
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

static RvmDenseWindows *
make_windows (Job *job, gboolean encoder, const gboolean *used, GError **error)
{
  return rvm_dense_windows_new (&(RvmDenseWindowsOptions){
                                    .targets = job->targets, .kind = &job->report->kind, .features = job->features, .encoder = encoder, .used = used,
                                    .window = job->options->window, .stride = job->options->stride, .rows = job->rows, .columns = job->columns,
                                    .block = BLOCK, .batch = BATCH,
                                },
                                error);
}

/* The first guess of all outputs is about what the training pictures are on average. */
static gboolean
start_outputs (const Job *job, RvmReadoutStep *step, guint width, const RvmDenseWindows *windows, GError **error)
{
  const guint channels = job->report->kind.depth ? 1 : job->report->kind.classes, outputs = BLOCK * BLOCK * channels;
  g_autofree float *map = g_new (float, (gsize) job->rows *job->columns *outputs), *constant = g_new (float, channels);
  g_autofree float *bias = g_new (float, outputs), *kernel = g_new (float, (gsize) width *outputs);

  rvm_dense_windows_average (windows, map, constant);
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
start (const Job *job, RvmAttentionTraining *training, const RvmAttentionOptions *of, const RvmDenseWindows *windows, const gboolean *used,
       GError **error)
{
  const guint n = job->targets->targets->len, heads = rvm_attention_training_count_heads (of->width);
  const RvmPlaceStart place = { of->dim, of->code, of->mlp, of->width, heads, job->rows, job->columns };
  RvmReadoutStep *step = rvm_attention_training_get_step (training);
  g_autoptr (GPtrArray) states = g_ptr_array_new ();

  for (guint i = 0; i < n; i++)
    if (used == NULL || used[i])
      g_ptr_array_add (states, (gpointer) rvm_dense_windows_get_state (windows, i));
  for (guint i = 0; states->len > START_STATES && i < START_STATES; i++) /* from all of the material */
    states->pdata[i] = states->pdata[(guint64) i * states->len / START_STATES];
  if (job->options->reference == RVM_REFERENCE_NONE && of->code <= of->width / heads && 2 * of->code <= of->mlp
      && !rvm_place_start (step, &place, (const float *const *) states->pdata, MIN (states->len, START_STATES), error))
    return FALSE;
  if (!start_outputs (job, step, of->width, windows, error))
    return FALSE;
  rvm_readout_step_begin (step);
  return TRUE;
}

/* An attention readout from the targets of which @used is TRUE. */
static RvmAttentionTraining *
train (Job *job, RvmModel *model, RvmDenseWindows *windows, const gboolean *used, const char *what, GError **error)
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
    .device = rvm_model_get_device (model), .dim = dim, .outputs = BLOCK * BLOCK * channels, .width = dim, .mlp = 2 * dim,
    .code = CLAMP (dim / rvm_attention_training_count_heads (dim) / 4 * 4, 4, CODE),
    .shape = { BATCH, options->window, job->rows, job->columns }, .steps = options->steps, .seed = options->seed, .rate = RATE, .decay = DECAY,
  };
  g_autoptr (RvmAttentionTraining) training = NULL;
  g_autoptr (RvmProgress) progress = rvm_progress_new (0, options->steps, TRUE);
  RvmTrainingProgress told = { progress, 0, what };
  const RvmWindowSource source = rvm_dense_windows_get_source (windows);

  for (guint c = 0; c < channels; c++)
    names[c] = g_strdup_printf ("%u", c);
  training = rvm_attention_training_new (&of, &info, error);
  if (training == NULL || !start (job, training, &of, windows, used, error) || !rvm_attention_training_run (training, &source, &told, error))
    return NULL;
  return g_steal_pointer (&training);
}

static gboolean
measure (Job *job, RvmAttentionTraining *training, RvmDenseWindows *windows, const char *name, GError **error)
{
  const RvmTargetKind *kind = &job->report->kind;
  const guint rows = job->rows * BLOCK, columns = job->columns * BLOCK;
  g_autofree float *values = g_new (float, (gsize) rows *columns *(kind->depth ? 1 : kind->classes));
  RvmDenseMeasures *measures = add_row (job, name);

  for (guint i = 0; i < job->targets->targets->len; i++) {
    g_autoptr (RvmTargetMap) map = NULL;
    RvmReadoutBatch batch;
    double loss;

    if (!job->test[i])
      continue;
    map = rvm_target_load (g_ptr_array_index (job->targets->targets, i), kind, error);
    if (map == NULL)
      return FALSE;
    rvm_dense_windows_take (windows, i, &batch);
    if (!rvm_readout_step_forward (rvm_attention_training_get_step (training), &batch, &loss, values, error))
      return FALSE;
    rvm_dense_measures_add (measures, map, kind, values, rows, columns);
  }
  return TRUE;
}

/* One row: trained on what is not held out, measured on the rest. @training: (out) (nullable). */
static gboolean
add_attention (Job *job, RvmModel *model, gboolean encoder, const char *name, RvmAttentionTraining **out, GError **error)
{
  g_autofree gboolean *used = g_new (gboolean, job->targets->targets->len);
  g_autoptr (RvmAttentionTraining) training = NULL;
  g_autoptr (RvmDenseWindows) windows = NULL;

  for (guint i = 0; i < job->targets->targets->len; i++)
    used[i] = !job->test[i];
  windows = make_windows (job, encoder, used, error);
  training = windows ? train (job, model, windows, used, name, error) : NULL;
  if (training == NULL || !measure (job, training, windows, name, error))
    return FALSE;
  if (out)
    *out = g_steal_pointer (&training);
  return TRUE;
}

/* What needs no network: the same answer everywhere, and a map that is always the same. */
static gboolean
add_constants (Job *job, GError **error)
{
  const RvmTargetKind *kind = &job->report->kind;
  const guint rows = job->rows * BLOCK, columns = job->columns * BLOCK, channels = kind->depth ? 1 : kind->classes;
  const gsize values = (gsize) rows * columns * channels;
  g_autofree gboolean *used = g_new (gboolean, job->targets->targets->len);
  g_autofree float *map = g_new (float, values), *constant = g_new (float, channels), *flat = g_new (float, values);
  g_autoptr (RvmDenseWindows) windows = NULL;
  RvmDenseMeasures *of_constant, *of_map;

  for (guint i = 0; i < job->targets->targets->len; i++)
    used[i] = !job->test[i];
  windows = make_windows (job, FALSE, used, error);
  if (windows == NULL)
    return FALSE;
  rvm_dense_windows_average (windows, map, constant);
  for (gsize i = 0; i < values; i++) {
    flat[i] = kind->depth ? expf (constant[0]) : constant[i % channels];
    map[i] = kind->depth ? expf (map[i]) : map[i];
  }
  of_constant = add_row (job, kind->depth ? "the mean depth everywhere" : "the commonest label everywhere");
  of_map = add_row (job, "the mean map of the training pictures");
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
add_untrained (Job *job, RvmModel *model, gboolean encoder, GError **error)
{
  RvmConfig config = *rvm_model_get_config (model);
  g_autoptr (RvmModel) untrained = NULL;

  config.decoder.layers = 0;
  untrained = rvm_initialise_model (&config, job->options->model_options, FALSE, error);
  if (untrained == NULL)
    return FALSE;
  rvm_interrupts_catch (); /* which rvm_initialise_model() has let go */
  return load_features (job, untrained, "pictures through the untrained network", error)
         && add_attention (job, untrained, encoder, "attention to the untrained network", NULL, error);
}

/* The readout is made from all pictures, unless what was held out is only to measure. */
static gboolean
make_readout (Job *job, RvmModel *model, gboolean encoder, gboolean test_given, RvmAttentionTraining *measured, GError **error)
{
  g_autoptr (RvmDenseWindows) windows = NULL;
  g_autoptr (RvmAttentionTraining) training = NULL;

  if (!test_given) {
    windows = make_windows (job, encoder, NULL, error);
    training = windows ? train (job, model, windows, NULL, "the readout of all pictures", error) : NULL;
    if (training == NULL)
      return FALSE;
  }
  job->report->arrays = rvm_attention_training_read (training ? training : measured, 1, error);
  return job->report->arrays != NULL;
}

static gboolean
run (Job *job, RvmModel *model, RvmTargets *test, GError **error)
{
  const gboolean encoder = job->options->features == RVM_READOUT_ENCODER;
  g_autoptr (RvmAttentionTraining) measured = NULL;

  return prepare (job, test, error) && load_features (job, model, "pictures through the model", error) && add_constants (job, error)
         && add_untrained (job, model, encoder, error) && load_features (job, model, "pictures through the model", error)
         && add_attention (job, model, !encoder, encoder ? "attention to states" : "attention to encoder features", NULL, error)
         && add_attention (job, model, encoder, encoder ? "the readout: attention to encoder features" : "the readout: attention to states",
                           &measured, error)
         && make_readout (job, model, encoder, test != NULL, measured, error);
}

RvmDenseReport *
rvm_dense_readout_train (const RvmDenseOptions *options, RvmModel *model, RvmTargets *data, RvmTargets *test, GError **error)
{
  const guint patch = rvm_model_get_config (model)->patch;
  g_autoptr (RvmDenseReport) report = g_new0 (RvmDenseReport, 1);
  Job job = { options, data, .report = report, .rows = options->height / patch, .columns = options->width / patch };
  gboolean good;

  report->rows = g_array_new (FALSE, TRUE, sizeof (RvmDenseRow));
  g_array_set_clear_func (report->rows, row_clear);
  good = run (&job, model, test, error);
  g_clear_pointer (&job.features, g_ptr_array_unref);
  g_free (job.frames);
  g_free (job.test);
  return good ? g_steal_pointer (&report) : NULL;
}

/* The readout less each other row, on the same pictures. */
static void
format_gains (const RvmDenseReport *report, GString *text)
{
  const RvmDenseRow *last = &g_array_index (report->rows, RvmDenseRow, report->rows->len - 1);

  g_string_append_printf (text, "\n%s of the readout less that of\n", rvm_dense_measure_name (&report->kind, 0));
  for (guint i = 0; i + 1 < report->rows->len; i++) {
    const RvmDenseRow *row = &g_array_index (report->rows, RvmDenseRow, i);

    g_string_append_printf (text, "  %-42s %+.3f +- %.3f\n", row->name,
                            rvm_dense_measure_get (last->measures, &report->kind, 0) - rvm_dense_measure_get (row->measures, &report->kind, 0),
                            rvm_dense_measure_get_error (last->measures, row->measures, &report->kind, 0));
  }
}

char *
rvm_dense_report_format (const RvmDenseReport *report, const char *const *classes)
{
  GString *text = g_string_new (NULL);
  const RvmDenseRow *last = &g_array_index (report->rows, RvmDenseRow, report->rows->len - 1);

  g_string_append_printf (text, "%u pictures to learn from; measured on %u that were held out, %s\n\n%-44s %-15s %-15s %s\n", report->learned,
                          report->held_out, report->split, "", rvm_dense_measure_name (&report->kind, 0),
                          rvm_dense_measure_name (&report->kind, 1), "pictures");
  for (guint i = 0; i < report->rows->len; i++) {
    const RvmDenseRow *row = &g_array_index (report->rows, RvmDenseRow, i);

    g_string_append_printf (text, "%-44s", row->name);
    for (guint which = 0; which < 2; which++)
      g_string_append_printf (text, " %.3f +- %.3f ", rvm_dense_measure_get (row->measures, &report->kind, which),
                              rvm_dense_measure_get_error (row->measures, NULL, &report->kind, which));
    g_string_append_printf (text, " %u\n", row->measures->n);
  }
  format_gains (report, text);
  if (report->near)
    g_string_append (text, "\nall pictures are of one group, so what was held out is like what was learned: of other places, expect less\n");
  if (!report->kind.depth)
    g_string_append (text, "\nintersection over union of the readout, by label:\n");
  for (guint c = 0; !report->kind.depth && c < report->kind.classes; c++) {
    const double iou = rvm_dense_measures_get_class_iou (last->measures, c);

    if (isnan (iou))
      g_string_append_printf (text, "%-20s there is none in the pictures that were held out\n", classes[c]);
    else
      g_string_append_printf (text, "%-20s %.3f\n", classes[c], iou);
  }
  return g_string_free (text, FALSE);
}
