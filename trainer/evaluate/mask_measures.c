/* J and F as the published evaluation computes them. */
#include "mask_measures.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 0.008 /* of the diagonal */

double
rvm_mask_region (const guint8 *truth, const guint8 *result, guint width, guint height, guint8 object)
{
  gsize both = 0, either = 0;

  for (gsize i = 0; i < (gsize) width * height; i++) {
    both += truth[i] == object && result[i] == object;
    either += truth[i] == object || result[i] == object;
  }
  return either ? (double) both / either : 1;
}

/* Pixels that differ from the one to the right, below, or both; those of the last row and column look in one direction only. Returns how
 * many there are. */
static gsize
find_boundary (const guint8 *mask, guint width, guint height, guint8 object, guint8 *boundary)
{
  gsize count = 0;

  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++) {
      const guint8 *at = mask + (gsize) y * width + x;
      const gboolean me = *at == object;
      gboolean edge = FALSE;

      if (x + 1 < width)
        edge |= me != (at[1] == object);
      if (y + 1 < height)
        edge |= me != (at[width] == object);
      if (x + 1 < width && y + 1 < height)
        edge |= me != (at[width + 1] == object);
      boundary[(gsize) y * width + x] = edge;
      count += edge;
    }
  return count;
}

/* How many pixels of @from lie within @radius of one of @to. */
static gsize
count_near (const guint8 *from, const guint8 *to, guint width, guint height, int radius, guint8 *near)
{
  gsize count = 0;

  memset (near, 0, (gsize) width * height);
  for (int y = 0; y < (int) height; y++)
    for (int x = 0; x < (int) width; x++) {
      if (!to[(gsize) y * width + x])
        continue;
      for (int dy = -radius; dy <= radius; dy++) {
        const int reach = sqrt (radius * radius - dy * dy);
        if (y + dy < 0 || y + dy >= (int) height)
          continue;
        for (int other = MAX (x - reach, 0); other <= MIN (x + reach, (int) width - 1); other++)
          near[(gsize) (y + dy) * width + other] = 1;
      }
    }
  for (gsize i = 0; i < (gsize) width * height; i++)
    count += from[i] && near[i];
  return count;
}

double
rvm_mask_boundary (const guint8 *truth, const guint8 *result, guint width, guint height, guint8 object)
{
  const gsize size = (gsize) width * height;
  const int radius = ceil (TOLERANCE * hypot (width, height));
  g_autofree guint8 *of_truth = g_malloc (size), *of_result = g_malloc (size), *near = g_malloc (size);
  const gsize n_truth = find_boundary (truth, width, height, object, of_truth);
  const gsize n_result = find_boundary (result, width, height, object, of_result);
  double precision, recall;

  if (n_truth == 0 || n_result == 0)
    return n_truth == n_result;
  precision = (double) count_near (of_result, of_truth, width, height, radius, near) / n_result;
  recall = (double) count_near (of_truth, of_result, width, height, radius, near) / n_truth;
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}
