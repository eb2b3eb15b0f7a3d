#include "dense_measures.h"

#include <math.h>

RvmDenseMeasures *
rvm_dense_measures_new (const RvmTargetKind *kind)
{
  RvmDenseMeasures *measures = g_new0 (RvmDenseMeasures, 1);

  measures->classes = kind->depth ? 0 : kind->classes;
  measures->confusion = g_new0 (guint64, (gsize) measures->classes * measures->classes + 1);
  return measures;
}

void
rvm_dense_measures_free (RvmDenseMeasures *measures)
{
  if (measures == NULL)
    return;
  g_free (measures->confusion);
  g_free (measures);
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
add_pixel (RvmDenseMeasures *measures, const RvmTargetKind *kind, float truth, const float *answer)
{
  const guint classes = measures->classes;
  guint best = 0;

  measures->pixels++;
  if (kind->depth) {
    measures->relative += fabs (*answer - truth) / truth;
    measures->close += MAX (*answer / truth, truth / *answer) < 1.25;
    return;
  }
  for (guint c = 1; c < classes; c++)
    if (answer[c] > answer[best])
      best = c;
  measures->confusion[(gsize) truth * classes + best]++;
}

void
rvm_dense_measures_add (RvmDenseMeasures *measures, const RvmTargetMap *map, const RvmTargetKind *kind, const float *values, guint rows,
                        guint columns)
{
  const guint channels = kind->depth ? 1 : kind->classes;
  g_autofree float *answer = g_new (float, channels);

  measures->n++;
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
      add_pixel (measures, kind, truth, answer);
    }
  }
}

double
rvm_dense_measures_get_class_iou (const RvmDenseMeasures *measures, guint label)
{
  const guint classes = measures->classes;
  guint64 truth = 0, answers = 0, both = measures->confusion[label * classes + label];

  for (guint c = 0; c < classes; c++) {
    truth += measures->confusion[label * classes + c];
    answers += measures->confusion[c * classes + label];
  }
  return truth ? (double) both / (truth + answers - both) : NAN;
}

double
rvm_dense_measures_get_iou (const RvmDenseMeasures *measures)
{
  double sum = 0;
  guint present = 0;

  for (guint c = 0; c < measures->classes; c++) {
    const double iou = rvm_dense_measures_get_class_iou (measures, c);

    if (isnan (iou))
      continue;
    sum += iou;
    present++;
  }
  return present ? sum / present : 0;
}

double
rvm_dense_measures_get_accuracy (const RvmDenseMeasures *measures)
{
  guint64 right = 0;

  for (guint c = 0; c < measures->classes; c++)
    right += measures->confusion[c * measures->classes + c];
  return measures->pixels ? (double) right / measures->pixels : 0;
}

double
rvm_dense_measures_get_abs_rel (const RvmDenseMeasures *measures)
{
  return measures->pixels ? measures->relative / measures->pixels : 0;
}

double
rvm_dense_measures_get_delta1 (const RvmDenseMeasures *measures)
{
  return measures->pixels ? measures->close / measures->pixels : 0;
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
  if (kind->depth)
    return which ? rvm_dense_measures_get_delta1 (measures) : rvm_dense_measures_get_abs_rel (measures);
  return which ? rvm_dense_measures_get_accuracy (measures) : rvm_dense_measures_get_iou (measures);
}
