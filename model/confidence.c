/* The evidence is linear in labels, so that a cell that is half an object counts half. The coefficients are a logistic regression of the overlap on ten
 * sequences and on planted objects that go away, which docs/quality.md names; on twenty others the confidence is within .12 of the overlap on average (docs/make-calibration). */
#include "confidence.h"

#include <math.h>
#include <string.h>

#define SHARPNESS (1 / 0.15) /* of the softmax over a cell's matches */
#define AGREEMENT 0.87
#define SIMILARITY 6.69
#define EXCLUSIVE (-0.09)
#define COVERAGE 3.71
#define BIAS (-8.76)
/* An object that swells by much more than this factor's logarithm has taken in something else, such as what is in front of it now. */
#define SWELLING 0.7
/* Logarithms a frame by which the expected size follows a visible object, and gives in to a larger one while it is lost. */
#define FOLLOW 0.05
#define GIVE_IN 0.005
/* An object that becomes smaller by degrees has fewer cells that could match what it was, so its coverage counts for more: logarithms of the shrinking that
 * does not count, as sizes scatter, of the greatest that does, of what is believed for a frame, and of what is more than a degree, as when the scene is cut. */
#define SHRINKING_LEAST 0.2
#define SHRINKING_MOST 1.6
#define SHRINK 0.03
#define SUDDEN 0.5
#define LEAST_SIZE 1e-3 /* cells */
#define BLANK_LEVELS 8 /* from the darkest to the brightest pixel of a blank cell, of each colour */
#define POINT_REACH 2 /* cells around a point that are looked at: what it is part of is often of one colour for a few cells */

static float
highest_of (const float *labels, guint cells, guint channels, guint channel)
{
  float highest = 0;

  for (guint cell = 0; cell < cells; cell++)
    highest = MAX (highest, labels[(gsize) cell * channels + channel]);
  return highest;
}

/* How much of the matches of @cell lies in the object on its first frame; @unit: the label of a whole cell there. */
static double
match_in_object (const RvmEvidenceMaps *maps, guint channel, guint cell, double unit)
{
  const float *value = maps->value + (gsize) cell * maps->top;
  double inside = 0, total = 0;

  for (guint k = 0; k < maps->top; k++) {
    const double weight = exp ((value[k] - value[0]) / maps->highest * SHARPNESS);
    const double label = maps->first[(gsize) maps->where[(gsize) cell * maps->top + k] * maps->channels + channel];

    total += weight;
    inside += weight * MIN (1, label / unit);
  }
  return inside / total;
}

/* Marks what the matches of @cell, with @label, cover. */
static void
cover (const RvmEvidenceMaps *maps, guint cell, double label, double *covered)
{
  const float *value = maps->value + (gsize) cell * maps->top;

  for (guint k = 0; k < maps->top; k++) {
    double *at = &covered[maps->where[(gsize) cell * maps->top + k]];

    *at = MAX (*at, label * exp ((value[k] - value[0]) / maps->highest * SHARPNESS));
  }
}

void
rvm_evidence_find_blank (const guint8 *rgb, guint patch, guint rows, guint columns, guint8 *blank)
{
  const gsize stride = (gsize) columns * patch * 3;

  for (guint cell = 0; cell < rows * columns; cell++) {
    const guint8 *first = rgb + (gsize) (cell / columns) * patch * stride + (gsize) (cell % columns) * patch * 3;
    guint8 least[3] = { first[0], first[1], first[2] }, most[3] = { first[0], first[1], first[2] };

    for (guint y = 0; y < patch; y++)
      for (guint x = 0; x < 3 * patch; x++) {
        least[x % 3] = MIN (least[x % 3], first[y * stride + x]);
        most[x % 3] = MAX (most[x % 3], first[y * stride + x]);
      }
    blank[cell] = most[0] - least[0] <= BLANK_LEVELS && most[1] - least[1] <= BLANK_LEVELS && most[2] - least[2] <= BLANK_LEVELS;
  }
}

gboolean
rvm_evidence_measure (const RvmEvidenceMaps *maps, guint channel, RvmEvidence *evidence)
{
  /* Small boxes have no whole cell: theirs is the highest label. */
  const double unit = highest_of (maps->first, maps->cells, maps->channels, channel);
  const double highest = unit > 0 ? highest_of (maps->labels, maps->cells, maps->channels, channel) / unit : 0;
  g_autofree double *covered = g_new0 (double, maps->cells);
  double into = 0, own = 0, given = 0, found = 0;

  memset (evidence, 0, sizeof *evidence);
  if (!(highest > 0))
    return FALSE;
  for (guint cell = 0; cell < maps->cells; cell++) {
    const double label = MIN (1, maps->labels[(gsize) cell * maps->channels + channel] / unit);
    const double inside = match_in_object (maps, channel, cell, unit);

    into += inside;
    own += inside * label;
    /* The object's cells: more than half, or where there are none, half of the strongest. */
    if (label <= 0.5 && (highest > 0.5 || label < highest / 2))
      continue;
    evidence->size += label;
    evidence->blank += maps->blank && maps->blank[cell] ? label : 0;
    evidence->agreement += label * inside;
    evidence->similarity += label * maps->value[(gsize) cell * maps->top] / maps->highest;
    cover (maps, cell, label, covered);
  }
  for (guint cell = 0; cell < maps->cells; cell++) {
    const double label = MIN (1, maps->first[(gsize) cell * maps->channels + channel] / unit);

    given += label;
    found += label * MIN (1, covered[cell]);
  }
  evidence->agreement /= evidence->size;
  evidence->blank /= evidence->size;
  evidence->similarity /= evidence->size;
  evidence->exclusive = into > LEAST_SIZE ? own / into : 0;
  evidence->coverage = found / given;
  return TRUE;
}

void
rvm_evidence_look_back (const RvmEvidenceMaps *maps, guint channel, float *labels)
{
  const double unit = highest_of (maps->first, maps->cells, maps->channels, channel);

  for (guint cell = 0; cell < maps->cells; cell++)
    labels[cell] = unit > 0 ? unit * match_in_object (maps, channel, cell, unit) : 0;
}

void
rvm_evidence_widen_point (const float *labels, guint rows, guint columns, guint channels, guint channel, float *map)
{
  guint peak = 0;

  memset (map, 0, (gsize) rows * columns * sizeof *map);
  for (guint cell = 1; cell < rows * columns; cell++)
    if (labels[(gsize) cell * channels + channel] > labels[(gsize) peak * channels + channel])
      peak = cell;
  if (!(labels[(gsize) peak * channels + channel] > 0))
    return;
  for (guint cell = 0; cell < rows * columns; cell++) {
    const guint across = ABS ((int) (cell % columns) - (int) (peak % columns)), along = ABS ((int) (cell / columns) - (int) (peak / columns));

    if (MAX (across, along) <= POINT_REACH)
      map[cell] = 1;
  }
}

void
rvm_confidence_begin (RvmConfidence *confidence, double size)
{
  const double log_size = log (MAX (size, LEAST_SIZE));

  *confidence = (RvmConfidence){ .first_size = log_size, .log_size = log_size, .log_gradual = log_size, .first_blank = -1, .visible = TRUE };
}

double
rvm_confidence_update (RvmConfidence *confidence, const RvmEvidence *evidence, const RvmConfidenceLimits *limits)
{
  const double shrinking = CLAMP (confidence->first_size - confidence->log_gradual, SHRINKING_LEAST, SHRINKING_MOST) - SHRINKING_LEAST;
  const double coverage = MIN (evidence->coverage * exp (shrinking), 1);
  const double logit = BIAS + AGREEMENT * evidence->agreement + SIMILARITY * evidence->similarity + EXCLUSIVE * evidence->exclusive
      + COVERAGE * coverage;
  const double log_size = log (MAX (evidence->size, LEAST_SIZE));
  const double change = log_size - confidence->log_size, degree = log_size - confidence->log_gradual;
  /* One that comes back as large as it was given does not swell. */
  const double growth = change - MAX (confidence->first_size - confidence->log_size, 0);
  double result = evidence->size > 0 ? exp (-pow (MAX (growth, 0) / SWELLING, 2)) / (1 + exp (-logit)) : 0;

  if (confidence->first_blank < 0 && evidence->size > 0)
    confidence->first_blank = evidence->blank;
  result *= 1 - MAX (evidence->blank - MAX (confidence->first_blank, 0), 0);
  confidence->visible = evidence->size > 0 && result >= (confidence->visible ? limits->lost_below : limits->found_above);
  if (confidence->visible)
    confidence->log_size += CLAMP (change, -FOLLOW, FOLLOW);
  else if (growth > 0)
    confidence->log_size += GIVE_IN;
  if (confidence->visible && degree > -SUDDEN)
    confidence->log_gradual = MIN (confidence->log_gradual + CLAMP (degree, -SHRINK, SHRINK), confidence->first_size);
  return result;
}
