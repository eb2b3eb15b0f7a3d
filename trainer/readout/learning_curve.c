/* Both sources are measured on the same drawings of clips, so that their difference depends little on which clips were drawn. */
#include "learning_curve.h"

#include <math.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "trainer/run/progress.h"

enum { DRAWINGS = 20 };

static const guint numbers[] = { 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128 };

typedef struct {
  RvmProgress *progress;
  guint64 done;
} Job;

static gboolean
tell (gpointer user_data)
{
  Job *job = user_data;

  rvm_progress_update (job->progress, ++job->done, 0, "a few clips of each class");
  return rvm_interrupts_count () == 0;
}

/* (folds, classes): clips that are not held out. */
static guint *
count_clips (const RvmFolds *folds, const RvmLabelled *labelled)
{
  const guint classes = labelled->classes->len;
  guint *count = g_new0 (guint, (gsize) folds->n * classes);

  for (guint i = 0; i < labelled->clips->len; i++)
    for (guint fold = 0; fold < folds->n; fold++)
      if (folds->of_clip[i] != fold)
        count[fold * classes + ((RvmLabelledClip *) g_ptr_array_index (labelled->clips, i))->label]++;
  return count;
}

/* The points of the curve, without values: up to the first number with which every clip is used. */
static GArray *
make_points (const RvmFolds *folds, const RvmLabelled *labelled)
{
  const guint classes = labelled->classes->len;
  g_autofree guint *count = count_clips (folds, labelled);
  GArray *points = g_array_new (FALSE, TRUE, sizeof (RvmCurvePoint));
  gboolean all = FALSE;

  for (guint k = 0; k < G_N_ELEMENTS (numbers) && !all; k++) {
    RvmCurvePoint point = { .clips = numbers[k] };

    all = TRUE;
    for (guint i = 0; i < folds->n * classes; i++) {
      point.learned += (double) MIN (count[i], numbers[k]) / (folds->n * classes);
      all = all && count[i] <= numbers[k];
    }
    g_array_append_val (points, point);
  }
  return points;
}

static RvmCurveValue
summarise (const double *values, const double *less)
{
  RvmCurveValue value = { 0 };
  double squares = 0;

  for (guint d = 0; d < DRAWINGS; d++)
    value.mean += (values[d] - (less ? less[d] : 0)) / DRAWINGS;
  for (guint d = 0; d < DRAWINGS; d++)
    squares += pow (values[d] - (less ? less[d] : 0) - value.mean, 2);
  value.deviation = sqrt (squares / (DRAWINGS - 1));
  return value;
}

GArray *
rvm_learning_curve_measure (const RvmFolds *folds, const RvmLabelled *labelled, const RvmCurveSource *readout, const RvmCurveSource *grey,
                            GError **error)
{
  g_autoptr (GArray) points = make_points (folds, labelled);
  const gsize values = (gsize) points->len * DRAWINGS;
  g_autoptr (RvmProgress) progress = rvm_progress_new (0, 2 * values, TRUE);
  g_autofree double *of_readout = g_new (double, values), *of_grey = g_new (double, values);
  Job job = { progress, 0 };
  const RvmFewClips few = { numbers, points->len, DRAWINGS, tell, &job };

  if (!rvm_folds_measure_few (folds, labelled, readout->sequences, &readout->shape, &few, of_readout)
      || !rvm_folds_measure_few (folds, labelled, grey->sequences, &grey->shape, &few, of_grey)) {
    rvm_error_set (error, RVM_ERROR_FILE, "stopped; no readout was written, the features are kept");
    return NULL;
  }
  for (guint k = 0; k < points->len; k++) {
    RvmCurvePoint *point = &g_array_index (points, RvmCurvePoint, k);

    point->readout = summarise (of_readout + k * DRAWINGS, NULL);
    point->grey = summarise (of_grey + k * DRAWINGS, NULL);
    point->over = summarise (of_readout + k * DRAWINGS, of_grey + k * DRAWINGS);
  }
  return g_steal_pointer (&points);
}

void
rvm_learning_curve_format (const GArray *curve, GString *text)
{
  g_string_append_printf (text,
                          "\nlearned from a few clips of each class: means over classes; +- is the standard deviation over %u drawings of the clips\n"
                          "%-10s %-9s %-15s %-15s %s\n",
                          (guint) DRAWINGS, "at most", "on mean", "closed form", "grey pixels", "difference");
  for (guint k = 0; k < curve->len; k++) {
    const RvmCurvePoint *point = &g_array_index (curve, RvmCurvePoint, k);

    g_string_append_printf (text, "%-10u %-9.1f %.3f +- %.3f  %.3f +- %.3f  %+.3f +- %.3f\n", point->clips, point->learned, point->readout.mean,
                            point->readout.deviation, point->grey.mean, point->grey.deviation, point->over.mean, point->over.deviation);
  }
}

static void
append_value (GString *text, const char *name, const RvmCurveValue *value)
{
  char mean[G_ASCII_DTOSTR_BUF_SIZE], deviation[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (text, ", \"%s\": [%s, %s]", name, g_ascii_formatd (mean, sizeof mean, "%.6f", value->mean),
                          g_ascii_formatd (deviation, sizeof deviation, "%.6f", value->deviation));
}

void
rvm_learning_curve_format_json (const GArray *curve, GString *text)
{
  g_string_append_c (text, '[');
  for (guint k = 0; k < curve->len; k++) {
    const RvmCurvePoint *point = &g_array_index (curve, RvmCurvePoint, k);
    char learned[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf (text, "%s{\"clips\": %u, \"learned\": %s", k ? ", " : "", point->clips,
                            g_ascii_formatd (learned, sizeof learned, "%.6f", point->learned));
    append_value (text, "readout", &point->readout);
    append_value (text, "grey", &point->grey);
    append_value (text, "over", &point->over);
    g_string_append_c (text, '}');
  }
  g_string_append_c (text, ']');
}
