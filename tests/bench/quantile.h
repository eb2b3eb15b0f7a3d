/* Quantiles of what was timed. */
#pragma once

#include <glib.h>
#include <math.h>

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

/* @fraction 0.5 is the median; NaN of nothing. Sorts @values, of double. */
static double
quantile (GArray *values, double fraction)
{
  if (values->len == 0)
    return NAN;
  g_array_sort (values, compare_doubles);
  return g_array_index (values, double, (guint) lround (fraction * (values->len - 1)));
}
