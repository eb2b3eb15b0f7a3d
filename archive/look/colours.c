/* Counts are exact in double, whatever the order. */
#include "colours.h"

#include <math.h>

void
rvm_colours_measure (const guint8 *pixels, gsize n, const float *weights, float *bins)
{
  double counts[RVM_COLOURS] = { 0 }, all = 0;

  for (gsize i = 0; i < n; i++) {
    const guint8 *p = pixels + 3 * i;
    const guint red = p[0] * RVM_COLOUR_LEVELS / 256, green = p[1] * RVM_COLOUR_LEVELS / 256, blue = p[2] * RVM_COLOUR_LEVELS / 256;
    const double weight = weights ? weights[i] : 1;

    counts[(red * RVM_COLOUR_LEVELS + green) * RVM_COLOUR_LEVELS + blue] += weight;
    all += weight;
  }
  for (guint b = 0; b < RVM_COLOURS; b++)
    bins[b] = all > 0 ? sqrt (counts[b] / all) : 0;
}
