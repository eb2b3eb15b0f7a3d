#include "dense_measures.h"

#include <math.h>

static void
sums_init (RvmDenseSums *sums, guint classes)
{
  *sums = (RvmDenseSums){ .confusion = classes ? g_new0 (guint64, (gsize) classes * classes) : NULL };
}

/* Adds @times, 1 or -1, what is in @more. */
static void
sums_add (RvmDenseSums *sums, const RvmDenseSums *more, int times, guint classes)
{
  sums->pixels += times * more->pixels;
  sums->relative += times * more->relative;
  sums->close += times * more->close;
  for (gsize i = 0; i < (gsize) classes * classes; i++)
    sums->confusion[i] += times * more->confusion[i];
}

RvmDenseMeasures *
rvm_dense_measures_new (const RvmTargetKind *kind)
{
  RvmDenseMeasures *measures = g_new0 (RvmDenseMeasures, 1);

  measures->classes = kind->depth ? 0 : kind->classes;
  measures->length = 1;
  sums_init (&measures->all, measures->classes);
  for (guint i = 0; i < RVM_DENSE_STRETCHES; i++)
    sums_init (&measures->stretches[i], measures->classes);
  return measures;
}

void
rvm_dense_measures_free (RvmDenseMeasures *measures)
{
  if (measures == NULL)
    return;
  g_free (measures->all.confusion);
  for (guint i = 0; i < RVM_DENSE_STRETCHES; i++)
    g_free (measures->stretches[i].confusion);
  g_free (measures);
}

/* Where the sums of the next picture go. When there are too many stretches, each two become one. */
static RvmDenseSums *
begin_picture (RvmDenseMeasures *measures)
{
  RvmDenseSums *stretches = measures->stretches;

  if (measures->n_stretches == RVM_DENSE_STRETCHES && measures->in_last == measures->length) {
    for (guint i = 0; i < RVM_DENSE_STRETCHES; i++) {
      RvmDenseSums old = stretches[i];

      if (i > 0) { /* the first one stays as it is */
        sums_init (&stretches[i], measures->classes);
        sums_add (&stretches[i / 2], &old, 1, measures->classes);
        g_free (old.confusion);
      }
    }
    measures->n_stretches /= 2;
    measures->length *= 2;
    measures->in_last = measures->length;
  }
  if (measures->n_stretches == 0 || measures->in_last == measures->length) {
    measures->n_stretches++;
    measures->in_last = 0;
  }
  measures->in_last++;
  measures->n++;
  return &stretches[measures->n_stretches - 1];
}

/* The places on both sides of the centre of pixel @at, and how much the second one counts. */
static float
find_places (guint at, guint pixels, guint places, guint *before, guint *after)
{
  const double place = CLAMP ((at + 0.5) * places / pixels - 0.5, 0, places - 1.0);

  *before = place;
  *after = MIN (*before + 1, places - 1);
  return place - *before;
}

static void
add_pixel (RvmDenseSums *sums, const RvmTargetKind *kind, float truth, const float *answer)
{
  const guint classes = kind->classes;
  guint best = 0;

  sums->pixels++;
  if (kind->depth) {
    sums->relative += fabs (*answer - truth) / truth;
    sums->close += MAX (*answer / truth, truth / *answer) < 1.25;
    return;
  }
  for (guint c = 1; c < classes; c++)
    if (answer[c] > answer[best])
      best = c;
  sums->confusion[(gsize) truth * classes + best]++;
}

void
rvm_dense_measures_add (RvmDenseMeasures *measures, const RvmTargetMap *map, const RvmTargetKind *kind, const float *values, guint rows,
                        guint columns)
{
  const guint channels = kind->depth ? 1 : kind->classes;
  g_autofree float *answer = g_new (float, channels);
  RvmDenseSums picture;

  sums_init (&picture, measures->classes);
  for (guint y = 0; y < map->height; y++) {
    guint top, bottom;
    const float down = find_places (y, map->height, rows, &top, &bottom);

    for (guint x = 0; x < map->width; x++) {
      const float truth = map->values[(gsize) y * map->width + x];
      guint left, right;
      const float across = find_places (x, map->width, columns, &left, &right);
      const float *corners[] = { values + ((gsize) top * columns + left) * channels, values + ((gsize) top * columns + right) * channels,
                                 values + ((gsize) bottom * columns + left) * channels, values + ((gsize) bottom * columns + right) * channels };

      if (kind->depth ? truth <= 0 : truth < 0)
        continue;
      for (guint c = 0; c < channels; c++)
        answer[c] = (1 - down) * ((1 - across) * corners[0][c] + across * corners[1][c])
                    + down * ((1 - across) * corners[2][c] + across * corners[3][c]);
      add_pixel (&picture, kind, truth, answer);
    }
  }
  sums_add (begin_picture (measures), &picture, 1, measures->classes);
  sums_add (&measures->all, &picture, 1, measures->classes);
  g_free (picture.confusion);
}

static double
get_class_iou (const RvmDenseSums *sums, guint classes, guint label)
{
  guint64 truth = 0, answers = 0;
  const guint64 both = sums->confusion[label * classes + label];

  for (guint c = 0; c < classes; c++) {
    truth += sums->confusion[label * classes + c];
    answers += sums->confusion[c * classes + label];
  }
  return truth ? (double) both / (truth + answers - both) : NAN;
}

double
rvm_dense_measures_get_class_iou (const RvmDenseMeasures *measures, guint label)
{
  return get_class_iou (&measures->all, measures->classes, label);
}

static double
get_iou (const RvmDenseSums *sums, guint classes)
{
  double sum = 0;
  guint present = 0;

  for (guint c = 0; c < classes; c++) {
    const double iou = get_class_iou (sums, classes, c);

    if (isnan (iou))
      continue;
    sum += iou;
    present++;
  }
  return present ? sum / present : 0;
}

static double
get_accuracy (const RvmDenseSums *sums, guint classes)
{
  guint64 right = 0;

  for (guint c = 0; c < classes; c++)
    right += sums->confusion[c * classes + c];
  return sums->pixels ? (double) right / sums->pixels : 0;
}

static double
get_measure (const RvmDenseSums *sums, guint classes, gboolean depth, guint which)
{
  if (!depth)
    return which ? get_accuracy (sums, classes) : get_iou (sums, classes);
  return sums->pixels ? (which ? sums->close : sums->relative) / sums->pixels : 0;
}

const char *
rvm_dense_measure_name (const RvmTargetKind *kind, guint which)
{
  static const char *const names[2][2] = { { "mean_iou", "accuracy" }, { "abs_rel", "delta1" } };

  return names[kind->depth][which];
}

double
rvm_dense_measure_get (const RvmDenseMeasures *measures, const RvmTargetKind *kind, guint which)
{
  return get_measure (&measures->all, measures->classes, kind->depth, which);
}

/* Of all pictures but those of one stretch. */
static double
get_without (RvmDenseMeasures *measures, const RvmTargetKind *kind, guint which, guint stretch)
{
  RvmDenseSums all = measures->all; /* with the same matrix, whose counts are exact */
  double value;

  sums_add (&all, &measures->stretches[stretch], -1, measures->classes);
  value = get_measure (&all, measures->classes, kind->depth, which);
  sums_add (&all, &measures->stretches[stretch], 1, measures->classes);
  return value;
}

double
rvm_dense_measure_get_error (RvmDenseMeasures *measures, RvmDenseMeasures *less, const RvmTargetKind *kind, guint which)
{
  const guint n = measures->n_stretches;
  double values[RVM_DENSE_STRETCHES], mean = 0, squares = 0;

  for (guint i = 0; i < n; i++) {
    values[i] = get_without (measures, kind, which, i) - (less ? get_without (less, kind, which, i) : 0);
    mean += values[i] / n;
  }
  for (guint i = 0; i < n; i++)
    squares += (values[i] - mean) * (values[i] - mean);
  return n > 1 ? sqrt (squares * (n - 1) / n) : NAN;
}
