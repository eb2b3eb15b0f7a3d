/* Clips go through every model once; what classifiers read of them stays in memory as sequences. */
#include "class_readout.h"

#include <math.h>
#include <string.h>

#include "class_attention.h"
#include "class_windows.h"
#include "kernels/error.h"
#include "learning_curve.h"
#include "program/interrupts.h"
#include "trainer/run/initialise.h"

enum {
  SLOTS = 9,
  ENOUGH_CLIPS = 50, /* of a class, for an attention readout: with half of them it is far behind the closed form */
};

typedef struct {
  const RvmClassOptions *options;
  const RvmLabelled *labelled;
  RvmClipFrames *frames;
  RvmFolds *folds;
  RvmClassReport *report;
  guint stride, rows, columns;
} Job;

/* Scores of what is compared with the readout clip by clip: grey pixels less the first, alone and with their change and travel. */
typedef struct {
  double *plain, *with_changes;
} Floors;

static void
row_clear (gpointer data)
{
  RvmClassRow *row = data;

  g_free (row->name);
  rvm_measures_free (row->measures);
}

void
rvm_class_report_free (RvmClassReport *report)
{
  if (report == NULL)
    return;
  g_array_unref (report->rows);
  g_clear_pointer (&report->curve, g_array_unref);
  g_clear_pointer (&report->arrays, g_ptr_array_unref);
  g_free (report);
}

static RvmClassReport *
report_new (void)
{
  RvmClassReport *report = g_new0 (RvmClassReport, 1);

  report->rows = g_array_new (FALSE, TRUE, sizeof (RvmClassRow));
  g_array_set_clear_func (report->rows, row_clear);
  report->other = -1;
  return report;
}

static guint
add_row (Job *job, const char *name, const double *scores)
{
  const guint clips = job->labelled->clips->len;
  g_autofree guint *label = g_new (guint, clips);
  RvmClassRow row = { g_strdup (name), NULL };

  for (guint i = 0; i < clips; i++)
    label[i] = ((RvmLabelledClip *) g_ptr_array_index (job->labelled->clips, i))->label;
  row.measures = rvm_measures_new (scores, label, clips, job->labelled->classes->len);
  g_array_append_val (job->report->rows, row);
  return job->report->rows->len - 1;
}

static void
add_majority (Job *job)
{
  const guint clips = job->labelled->clips->len, classes = job->labelled->classes->len;
  g_autofree double *counts = g_new0 (double, classes), *scores = g_new (double, (gsize) clips *classes);

  for (guint i = 0; i < clips; i++)
    counts[((RvmLabelledClip *) g_ptr_array_index (job->labelled->clips, i))->label]++;
  for (guint i = 0; i < clips; i++)
    memcpy (scores + (gsize) i * classes, counts, classes * sizeof (double));
  add_row (job, "the commonest class", scores);
}

static int
compare_numbers (gconstpointer a, gconstpointer b)
{
  const guint x = *(const guint *) a, y = *(const guint *) b;

  return x < y ? -1 : x > y;
}

static void
choose_stride (Job *job)
{
  const guint clips = job->labelled->clips->len;
  g_autofree guint *lengths = g_new (guint, clips);
  double rates = 0;
  guint known = 0;

  for (guint i = 0; i < clips; i++) {
    lengths[i] = job->frames[i].n;
    rates += job->frames[i].rate;
    known += job->frames[i].rate > 0;
  }
  qsort (lengths, clips, sizeof (guint), compare_numbers);
  job->report->frames_least = lengths[0];
  job->report->frames_most = lengths[clips - 1];
  job->report->rate = known ? rates / known : 0;
  job->stride = job->options->stride;
  if (job->stride == 0)
    job->stride = CLAMP ((lengths[(clips - 1) * 9 / 10] - 1 + job->options->window - 2) / MAX (job->options->window - 1, 1), 1, 1000);
  job->report->stride = job->stride;
}

/* (transfer full) (element-type RvmSequence): of all clips, by source; those that are not asked for stay NULL. */
static gboolean
read_sequences (Job *job, RvmModel *model, gboolean reversed, const char *what, const RvmSequenceSource *sources, guint n_sources,
                GPtrArray **sequences, GError **error)
{
  const RvmFeatureSettings settings
      = { model, job->options->width, job->options->height, job->stride, RVM_FOLDS_PHASES, reversed, job->options->cache_dir,
          RVM_FEATURES_WARM_UP };

  if (!rvm_features_compute (&settings, job->labelled, job->frames, what, error))
    return FALSE;
  for (guint s = 0; s < n_sources; s++)
    sequences[sources[s]] = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_sequence_free);
  for (guint i = 0; i < job->labelled->clips->len; i++) {
    g_autoptr (RvmClipFeatures) features = rvm_features_load (&settings, g_ptr_array_index (job->labelled->clips, i), error);

    if (features == NULL)
      return FALSE;
    if (rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; the features are kept, and the same command goes on from there");
      return FALSE;
    }
    for (guint s = 0; s < n_sources; s++)
      g_ptr_array_add (sequences[sources[s]], rvm_sequence_new (features, sources[s], job->rows, job->columns));
  }
  return TRUE;
}

static RvmWindowShape
make_shape (const Job *job, guint slots, RvmReadoutReference reference)
{
  return (RvmWindowShape){ .window = job->options->window, .stride = job->stride, .slots = slots, .reference = reference };
}

/* As the readout reads its features. */
static RvmWindowShape
make_readout_shape (const Job *job)
{
  RvmWindowShape shape = make_shape (job, SLOTS, job->options->reference);

  shape.changes = TRUE;
  return shape;
}

static void
measure_one (Job *job, const char *name, GPtrArray *sequences, RvmWindowShape shape)
{
  g_autoptr (RvmHeldOut) held_out = rvm_folds_measure (job->folds, job->labelled, sequences, FALSE, NULL, &shape);

  add_row (job, name, held_out->scores);
}

static RvmClassMargin
compare (const Job *job, const double *scores, const double *floor)
{
  const guint n = job->labelled->clips->len, classes = job->labelled->classes->len;
  double sum = 0, squares = 0;

  for (guint i = 0; i < n; i++) {
    const guint label = ((RvmLabelledClip *) g_ptr_array_index (job->labelled->clips, i))->label;
    g_autoptr (RvmMeasures) a = rvm_measures_new (scores + (gsize) i * classes, &label, 1, classes);
    g_autoptr (RvmMeasures) b = rvm_measures_new (floor + (gsize) i * classes, &label, 1, classes);

    sum += a->accuracy - b->accuracy;
    squares += (a->accuracy - b->accuracy) * (a->accuracy - b->accuracy);
  }
  return (RvmClassMargin){ sum / n, sqrt (MAX (squares / n - (sum / n) * (sum / n), 0) / n) };
}

/* What the scores are multiplied with, so that their softmax is as probable as possible for clips that were held out. */
static double
find_scale (const Job *job, const double *scores)
{
  const guint classes = job->labelled->classes->len;
  double best = INFINITY, scale = 1;

  for (double s = 0.5; s < 200; s *= 1.1) {
    double loss = 0;

    for (guint i = 0; i < job->labelled->clips->len; i++) {
      const double *row = scores + (gsize) i * classes,
                   right = row[((RvmLabelledClip *) g_ptr_array_index (job->labelled->clips, i))->label];
      double top = -INFINITY, sum = 0;

      for (guint c = 0; c < classes; c++)
        top = MAX (top, row[c]);
      for (guint c = 0; c < classes; c++)
        sum += exp (s * (row[c] - top));
      if (right > -1e29) /* it was there to learn from */
        loss += log (sum) - s * (right - top);
    }
    if (loss < best) {
      best = loss;
      scale = s;
    }
  }
  return scale;
}

static void
make_linear (Job *job, GPtrArray *sequences, const RvmHeldOut *held_out, const RvmWindowShape *shape)
{
  const guint classes = job->labelled->classes->len, cells = rvm_folds_get_cells (sequences);
  const guint dim = ((RvmSequence *) g_ptr_array_index (sequences, 0))->dim;
  const double scale = find_scale (job, held_out->scores);
  const gsize changes = (gsize) shape->slots * cells * cells * classes, window = changes * dim;
  g_autofree double *exact = g_new (double, classes);
  g_autofree float *kernel = rvm_folds_fit_all (job->folds, job->labelled, sequences, shape, exact);
  float *bias = g_new (float, classes);

  for (gsize i = 0; i < window + 2 * changes; i++)
    kernel[i] *= scale;
  for (guint c = 0; c < classes; c++)
    bias[c] = scale * exact[c];
  job->report->arrays = rvm_readout_arrays_new ();
  rvm_readout_arrays_add (job->report->arrays, "linear/kernel", g_memdup2 (kernel, window * sizeof (float)), 5,
                          (guint64[]){ shape->slots, cells, cells, dim, classes });
  rvm_readout_arrays_add (job->report->arrays, "linear/bias", bias, 1, (guint64[]){ classes });
  rvm_readout_arrays_add (job->report->arrays, "linear/change", g_memdup2 (kernel + window, changes * sizeof (float)), 4,
                          (guint64[]){ shape->slots, cells, cells, classes });
  rvm_readout_arrays_add (job->report->arrays, "linear/travel", g_memdup2 (kernel + window + changes, changes * sizeof (float)), 4,
                          (guint64[]){ shape->slots, cells, cells, classes });
}

static gboolean
is_wanted (const Job *job, RvmClassNetwork network)
{
  const RvmClassNetwork wanted = job->options->network;

  return wanted == network || wanted == RVM_CLASS_BOTH
         || (wanted == RVM_CLASS_AUTO
             && (network == RVM_CLASS_LINEAR || job->labelled->clips->len >= ENOUGH_CLIPS * job->labelled->classes->len));
}

static guint
add_held_out (Job *job, const char *name, const RvmHeldOut *held_out)
{
  const guint row = add_row (job, name, held_out->scores);

  add_row (job, "  the same with a random phase", held_out->random_scores);
  if (held_out->other_scores)
    add_row (job, "  the same, clips in reverse", held_out->other_scores);
  return row;
}

static double
get_mean_class (const Job *job, guint row)
{
  return g_array_index (job->report->rows, RvmClassRow, row).measures->mean_class;
}

/* Both networks, as far as they are wanted, and the readout of the better one. */
static gboolean
make_readout (Job *job, RvmModel *model, GPtrArray *sequences, GPtrArray *reversed, const Floors *floors, GError **error)
{
  const gboolean encoder = job->options->features == RVM_READOUT_ENCODER;
  const RvmWindowShape shape = make_readout_shape (job);
  g_autofree char **classes = g_new0 (char *, job->labelled->classes->len + 1);
  const RvmReadoutInfo info = {
    .kind = (char *) "class", .classes = classes, .model = (char *) rvm_model_get_id (model), .width = job->options->width, .height = job->options->height,
    .window = job->options->window, .stride = job->stride, .reference = job->options->reference,
  };
  const RvmClassAttention attention = {
    rvm_model_get_device (model), &info, job->labelled, job->folds, sequences, reversed, rvm_model_get_config (model)->encoder.dim, RVM_FOLDS_PHASES,
    job->options->epochs, job->options->seed,
  };
  const gboolean both = is_wanted (job, RVM_CLASS_LINEAR) && is_wanted (job, RVM_CLASS_ATTENTION);
  g_autoptr (RvmHeldOut) closed = NULL, trained = NULL;
  const double *scores;
  guint rows[2] = { 0 };

  memcpy (classes, job->labelled->classes->pdata, job->labelled->classes->len * sizeof *classes);
  if (is_wanted (job, RVM_CLASS_LINEAR)) {
    closed = rvm_folds_measure (job->folds, job->labelled, sequences, TRUE, reversed, &shape);
    rows[0] = add_held_out (job, encoder ? "closed form: a window of encoder features" : "closed form: a window of states", closed);
  }
  if (is_wanted (job, RVM_CLASS_ATTENTION)) {
    trained = rvm_class_attention_measure (&attention, error);
    if (trained == NULL)
      return FALSE;
    rows[1] = add_held_out (job, encoder ? "attention: a window of encoder features" : "attention: a window of states", trained);
  }
  job->report->attention = trained && (!closed || get_mean_class (job, rows[1]) > get_mean_class (job, rows[0]));
  job->report->readout = rows[job->report->attention];
  job->report->other = both ? (int) rows[!job->report->attention] : -1;
  scores = (job->report->attention ? trained : closed)->scores;
  job->report->over_floor = compare (job, scores, floors->plain);
  job->report->over_strongest = compare (job, scores, floors->with_changes);
  if (!job->report->attention) {
    make_linear (job, sequences, closed, &shape);
    return TRUE;
  }
  job->report->cells = rvm_class_windows_get_cells (g_ptr_array_index (sequences, 0));
  job->report->arrays = rvm_class_attention_fit_all (&attention, find_scale (job, trained->scores), error);
  return job->report->arrays != NULL;
}

/* The rows of features, and the readout that is kept. */
static gboolean
measure_features (Job *job, RvmModel *model, GPtrArray *const *sequences, GPtrArray *const *reversed, const Floors *floors, GError **error)
{
  const gboolean encoder = job->options->features == RVM_READOUT_ENCODER;
  const RvmSequenceSource own = encoder ? RVM_SEQUENCE_ENCODER : RVM_SEQUENCE_STATE,
                          other = encoder ? RVM_SEQUENCE_STATE : RVM_SEQUENCE_ENCODER;

  measure_one (job, encoder ? "the newest output of the encoder alone" : "the newest state alone", sequences[own],
               make_shape (job, 1, RVM_REFERENCE_NONE));
  measure_one (job, encoder ? "a window of states" : "a window of encoder features", sequences[other], make_readout_shape (job));
  return make_readout (job, model, sequences[own], reversed ? reversed[own] : NULL, floors, error);
}

static void
measure_pixels (Job *job, GPtrArray *const *sequences, Floors *floors)
{
  RvmWindowShape absolute = make_shape (job, SLOTS, RVM_REFERENCE_NONE), shape = make_shape (job, SLOTS, RVM_REFERENCE_FIRST);
  GPtrArray *grey = sequences[RVM_SEQUENCE_GREY];
  g_autoptr (RvmHeldOut) plain = NULL, with_changes = NULL;

  absolute.absolute = TRUE;
  add_majority (job);
  measure_one (job, "the last picture, 16 x 12 grey pixels", grey, make_shape (job, 1, RVM_REFERENCE_NONE));
  measure_one (job, "absolute change of grey pixels, in order", grey, absolute);
  plain = rvm_folds_measure (job->folds, job->labelled, grey, FALSE, NULL, &shape);
  job->report->floor = add_row (job, "grey pixels less the first, in order", plain->scores);
  shape.changes = TRUE;
  with_changes = rvm_folds_measure (job->folds, job->labelled, grey, FALSE, NULL, &shape);
  job->report->strongest = add_row (job, "the same with their change and travel", with_changes->scores);
  floors->plain = g_steal_pointer (&plain->scores);
  floors->with_changes = g_steal_pointer (&with_changes->scores);
}

/* @sequences: those of the readout. */
static gboolean
measure_curve (Job *job, GPtrArray *sequences, GPtrArray *grey, GError **error)
{
  const RvmCurveSource readout = { sequences, make_readout_shape (job) };
  const RvmCurveSource pixels = { grey, make_shape (job, SLOTS, RVM_REFERENCE_FIRST) };

  job->report->curve = rvm_learning_curve_measure (job->folds, job->labelled, &readout, &pixels, error);
  return job->report->curve != NULL;
}

static gboolean
measure_untrained (Job *job, RvmModel *model, GError **error)
{
  const RvmSequenceSource source = job->options->features == RVM_READOUT_ENCODER ? RVM_SEQUENCE_ENCODER : RVM_SEQUENCE_STATE;
  GPtrArray *sequences[RVM_SEQUENCE_CHANGE + 1] = { NULL };
  RvmConfig config = *rvm_model_get_config (model);
  g_autoptr (RvmModel) untrained = NULL;
  gboolean good;

  config.decoder.layers = 0;
  untrained = rvm_initialise_model (&config, job->options->model_options, FALSE, error);
  if (untrained == NULL)
    return FALSE;
  rvm_interrupts_catch (); /* which rvm_initialise_model() has let go */
  good = read_sequences (job, untrained, FALSE, "clips through the untrained network", &source, 1, sequences, error);
  if (good)
    measure_one (job, "a window of the untrained network", sequences[source], make_readout_shape (job));
  g_clear_pointer (&sequences[source], g_ptr_array_unref);
  return good;
}

static gboolean
run (Job *job, RvmModel *model, GError **error)
{
  static const RvmSequenceSource sources[] = { RVM_SEQUENCE_STATE, RVM_SEQUENCE_ENCODER, RVM_SEQUENCE_GREY };
  GPtrArray *sequences[RVM_SEQUENCE_CHANGE + 1] = { NULL }, *reversed[RVM_SEQUENCE_CHANGE + 1] = { NULL };
  Floors floors = { NULL, NULL };
  gboolean good = read_sequences (job, model, FALSE, "clips through the model", sources, G_N_ELEMENTS (sources), sequences, error)
                  && (!job->options->reversed
                      || read_sequences (job, model, TRUE, "clips in reverse through the model", sources, 2, reversed, error));

  if (good) {
    measure_pixels (job, sequences, &floors);
    good = measure_untrained (job, model, error);
  }
  if (good)
    good = measure_features (job, model, sequences, job->options->reversed ? reversed : NULL, &floors, error);
  if (good && job->options->curve)
    good = measure_curve (job, sequences[job->options->features == RVM_READOUT_ENCODER ? RVM_SEQUENCE_ENCODER : RVM_SEQUENCE_STATE],
                          sequences[RVM_SEQUENCE_GREY], error);
  for (guint i = 0; i < G_N_ELEMENTS (sequences); i++) {
    g_clear_pointer (&sequences[i], g_ptr_array_unref);
    g_clear_pointer (&reversed[i], g_ptr_array_unref);
  }
  g_free (floors.plain);
  g_free (floors.with_changes);
  return good;
}

RvmClassReport *
rvm_class_readout_train (const RvmClassOptions *options, RvmModel *model, const RvmLabelled *labelled, GError **error)
{
  const guint patch = rvm_model_get_config (model)->patch;
  g_autoptr (RvmClassReport) report = report_new ();
  Job job = { options, labelled, .report = report, .rows = options->height / patch, .columns = options->width / patch };
  gboolean good;

  job.frames = rvm_features_count_frames (labelled, options->cache_dir, error);
  if (job.frames == NULL)
    return NULL;
  job.folds = rvm_folds_new (labelled);
  report->folds = job.folds->n;
  report->mixed = job.folds->mixed;
  choose_stride (&job);
  good = run (&job, model, error);
  rvm_folds_free (job.folds);
  g_free (job.frames);
  return good ? g_steal_pointer (&report) : NULL;
}

gboolean
rvm_class_report_save (const RvmClassReport *report, const RvmReadoutInfo *info, const char *path, GError **error)
{
  return rvm_readout_arrays_save (report->arrays, info, path, error);
}

static void
format_margin (const RvmClassReport *report, const char *name, guint row, const RvmClassMargin *margin, GString *text)
{
  const double over = g_array_index (report->rows, RvmClassRow, report->readout).measures->mean_class
                      - g_array_index (report->rows, RvmClassRow, row).measures->mean_class;

  g_string_append_printf (text, "over %s: %+.1f points of the mean over classes; %+.1f +- %.1f points of accuracy, clip by clip\n", name, 100 * over,
                          100 * margin->accuracy, 100 * margin->error);
}

static void
format_conclusion (const RvmClassReport *report, GString *text)
{
  const RvmMeasures *readout = g_array_index (report->rows, RvmClassRow, report->readout).measures;
  g_string_append_printf (text, "the readout: %s, %.3f of the mean over classes", report->attention ? "attention" : "closed form",
                          readout->mean_class);
  if (report->other >= 0)
    g_string_append_printf (text, "; %s has %.3f, and the better one is kept", report->attention ? "the closed form" : "attention",
                            g_array_index (report->rows, RvmClassRow, report->other).measures->mean_class);
  g_string_append_c (text, '\n');
  format_margin (report, "grey pixels less the first", report->floor, &report->over_floor, text);
  format_margin (report, "these with their change and travel", report->strongest, &report->over_strongest, text);
  if (report->mixed)
    g_string_append (text, "all clips are of one group, so clips were held out one by one: of other recordings, expect less (--groups)\n");
  for (guint c = 0; c < readout->classes; c++) {
    guint count = 0;

    for (guint k = 0; k < readout->classes; k++)
      count += readout->confusion[c * readout->classes + k];
    if (count < 10) {
      g_string_append (text, "some classes have fewer than 10 clips: their figures are rough\n");
      break;
    }
  }
}

char *
rvm_class_report_format (const RvmClassReport *report, const RvmLabelled *labelled)
{
  GString *text = g_string_new (NULL);
  g_autofree const char **classes = g_new (const char *, labelled->classes->len);
  g_autofree char *confusion = NULL;

  for (guint c = 0; c < labelled->classes->len; c++)
    classes[c] = g_ptr_array_index (labelled->classes, c);
  g_string_append_printf (
      text, "%u clips of %u classes and %u groups, %u to %u frames; measured in %u folds on clips of groups that were held out\n\n",
      labelled->clips->len, labelled->classes->len, labelled->groups->len, report->frames_least, report->frames_most, report->folds);
  g_string_append_printf (text, "%-42s %-15s %-15s %s\n", "", "accuracy", "mean of classes", "clips");
  for (guint i = 0; i < report->rows->len; i++) {
    const RvmClassRow *row = &g_array_index (report->rows, RvmClassRow, i);
    const RvmMeasures *m = row->measures;

    g_string_append_printf (text, "%-42s %.3f +- %.3f  %.3f +- %.3f  %u\n", row->name, m->accuracy, m->accuracy_error, m->mean_class,
                            m->mean_class_error, m->n);
  }
  g_string_append_c (text, '\n');
  format_conclusion (report, text);
  confusion = rvm_measures_format_confusion (g_array_index (report->rows, RvmClassRow, report->readout).measures, classes);
  g_string_append_printf (text, "\nthe readout's answers (columns) for clips of each class (rows):\n%s", confusion);
  if (report->curve)
    rvm_learning_curve_format (report->curve, text);
  return g_string_free (text, FALSE);
}
