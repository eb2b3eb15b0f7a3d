/* Each cell of a coarser histogram has eight of the finer one, two along each of red, green and blue. */
#include "likeness.h"

#include <math.h>

#include "archive/look/colours.h"
#include "archive/search/nearest.h"
#include "kernels/half.h"

enum { MIDDLE = 64, COARSE = 8 };

#define ROUNDING 1e-4f /* of float sums */

struct _RvmLikeness {
  const RvmTable *table;
  float *middle, *coarse; /* (rows, MIDDLE), (rows, COARSE): roots of shares */
};

/* @to: levels^3 / 8 sums of squares of @from, levels^3 roots of shares. */
static void
merge_cells (const float *from, guint levels, float *to)
{
  const guint half = levels / 2;

  for (guint c = 0; c < half * half * half; c++)
    to[c] = 0;
  for (guint r = 0; r < levels; r++)
    for (guint g = 0; g < levels; g++)
      for (guint b = 0; b < levels; b++) {
        const float value = from[(r * levels + g) * levels + b];
        to[(r / 2 * half + g / 2) * half + b / 2] += value * value;
      }
  for (guint c = 0; c < half * half * half; c++)
    to[c] = sqrtf (to[c]);
}

RvmLikeness *
rvm_likeness_new (const RvmTable *table)
{
  RvmLikeness *likeness = g_new0 (RvmLikeness, 1);
  float fine[RVM_COLOURS];

  likeness->table = table;
  if (table->dim != RVM_COLOURS)
    return likeness;
  likeness->middle = g_new (float, table->n * MIDDLE + 1);
  likeness->coarse = g_new (float, table->n * COARSE + 1);
  for (gsize row = 0; row < table->n; row++) {
    for (guint c = 0; c < RVM_COLOURS; c++)
      fine[c] = rvm_half_to_float (table->halves[row * RVM_COLOURS + c]);
    merge_cells (fine, RVM_COLOUR_LEVELS, likeness->middle + row * MIDDLE);
    merge_cells (likeness->middle + row * MIDDLE, RVM_COLOUR_LEVELS / 2, likeness->coarse + row * COARSE);
  }
  return likeness;
}

void
rvm_likeness_free (RvmLikeness *likeness)
{
  if (likeness == NULL)
    return;
  g_free (likeness->middle);
  g_free (likeness->coarse);
  g_free (likeness);
}

static inline float
multiply (const float *a, const float *b, guint n)
{
  float lanes[8] = { 0 };

  for (guint i = 0; i < n; i += 8)
    for (guint l = 0; l < 8; l++)
      lanes[l] += a[i + l] * b[i + l];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

float
rvm_likeness_compare (const RvmLikeness *likeness, gsize a, gsize b, float least)
{
  const RvmTable *table = likeness->table;
  float fine;

  if (likeness->coarse
      && (multiply (likeness->coarse + a * COARSE, likeness->coarse + b * COARSE, COARSE) < least - ROUNDING
          || multiply (likeness->middle + a * MIDDLE, likeness->middle + b * MIDDLE, MIDDLE) < least - ROUNDING))
    return 0;
  fine = rvm_nearest_product (table->halves + a * table->dim, table->halves + b * table->dim, table->dim);
  return fine >= least ? MIN (fine, 1) : 0;
}
