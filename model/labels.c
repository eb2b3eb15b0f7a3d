/* Conversion of masks and points to maps on a grid, and back. */
#include "labels.h"

#include <math.h>
#include <string.h>

#include "taps.h"

#define STAMP 4      /* cells of a point's Gaussian */
#define STAMP_PEAK 2 /* the cell of the stamp where it is highest */
#define SIGMA 0.5
#define PEAKS 5 /* cells that a point is read back from */

void
rvm_labels_from_mask (const guint8 *mask, guint width, guint height, float *labels, guint rows, guint columns, guint channels)
{
  memset (labels, 0, (gsize) rows * columns * channels * sizeof (float));
  for (guint y = 0; y < rows; y++)
    for (guint x = 0; x < columns; x++) {
      float *cell = labels + ((gsize) y * columns + x) * channels;
      const RvmTap down = rvm_tap (y, rows, height), across = rvm_tap (x, columns, width);
      const float wy = down.weight, wx = across.weight;

      for (guint i = 0; i < 4; i++) {
        const guint8 label = mask[(gsize) down.at[i / 2] * width + across.at[i % 2]];
        cell[label < channels ? label : 0] += (i / 2 ? wy : 1 - wy) * (i % 2 ? wx : 1 - wx);
      }
    }
}

/* The strongest of the channels between four cells. */
static guint8
interpolate_label (const float *const corner[4], guint channels, const RvmTap *across, const RvmTap *down)
{
  float best = 0;
  guint label = 0;

  for (guint c = 0; c < channels; c++) {
    const float value = rvm_tap_mix (across, down, corner[0][c], corner[1][c], corner[2][c], corner[3][c]);
    if (c == 0 || value > best) {
      best = value;
      label = c;
    }
  }
  return MIN (label, 255);
}

void
rvm_labels_to_mask (const float *labels, guint rows, guint columns, guint channels, guint8 *mask, guint width, guint height)
{
  g_autofree RvmTap *down = rvm_taps_new (height, rows), *across = rvm_taps_new (width, columns);
  g_autofree guint8 *winner = g_malloc ((gsize) rows * columns); /* of a cell */
  const RvmTap here = { { 0, 0 }, 0 };

  for (gsize cell = 0; cell < (gsize) rows * columns; cell++) {
    const float *at = labels + cell * channels;
    winner[cell] = interpolate_label ((const float *const[4]){ at, at, at, at }, channels, &here, &here);
  }
  for (guint y = 0; y < height; y++) {
    const gsize above = (gsize) down[y].at[0] * columns, below = (gsize) down[y].at[1] * columns;

    for (guint x = 0; x < width; x++) {
      const guint left = across[x].at[0], right = across[x].at[1];
      const guint8 first = winner[above + left];

      /* A channel that wins at all four corners also wins between them. That is the case in most of a picture. */
      if (winner[above + right] == first && winner[below + left] == first && winner[below + right] == first)
        mask[(gsize) y * width + x] = first;
      else
        mask[(gsize) y * width + x] = interpolate_label ((const float *const[4]){ labels + (above + left) * channels,
                                                             labels + (above + right) * channels, labels + (below + left) * channels,
                                                             labels + (below + right) * channels },
            channels, &across[x], &down[y]);
    }
  }
}

/* The cells that the stamp of a point at @position covers, [start, end), of @size; @first: where start is in the stamp. Truncation towards
 * zero, as in the published code: near the border a stamp is cut on both sides. */
static void
stamp_range (float position, guint size, int *start, int *end, int *first)
{
  const int low = (int) (position - 3 * SIGMA), high = (int) (position + 3 * SIGMA + 1);

  *start = MAX (low, 0);
  *end = MIN (high, (int) size);
  *first = MAX (-low, 0);
}

void
rvm_labels_from_points (const float *points, guint n_points, float *labels, guint rows, guint columns)
{
  const guint channels = 1 + n_points;

  memset (labels, 0, (gsize) rows * columns * channels * sizeof (float));
  for (guint i = 0; i < n_points; i++) {
    int x0, x1, gx, y0, y1, gy;

    /* Also false for NaN. A cast of such values, or of values far outside, to int would be undefined. */
    if (!(points[2 * i] > -8 && points[2 * i] < columns + 8.0f && points[2 * i + 1] > -8 && points[2 * i + 1] < rows + 8.0f))
      continue;
    stamp_range (points[2 * i], columns, &x0, &x1, &gx);
    stamp_range (points[2 * i + 1], rows, &y0, &y1, &gy);
    for (int y = y0; y < y1; y++)
      for (int x = x0; x < x1; x++) {
        const int dx = x - x0 + gx - STAMP_PEAK, dy = y - y0 + gy - STAMP_PEAK;
        if (x - x0 + gx < STAMP && y - y0 + gy < STAMP)
          labels[((gsize) y * columns + x) * channels + 1 + i] = exp (-(dx * dx + dy * dy) / (2 * SIGMA * SIGMA));
      }
  }
  for (gsize cell = 0; cell < (gsize) rows * columns; cell++) {
    gboolean any = FALSE;
    for (guint c = 1; c < channels; c++)
      any |= labels[cell * channels + c] != 0;
    labels[cell * channels] = !any;
  }
}

gboolean
rvm_labels_get_point (const float *labels, guint rows, guint columns, guint channels, guint channel, float *x, float *y, float *confidence)
{
  float best[PEAKS] = { 0 };
  guint where[PEAKS] = { 0 };
  double total = 0, sum_x = 0, sum_y = 0;

  for (guint cell = 0; cell < rows * columns; cell++) {
    const float value = labels[(gsize) cell * channels + channel];
    guint i = PEAKS - 1;

    if (!(value > best[i]))
      continue;
    for (; i > 0 && best[i - 1] < value; i--) {
      best[i] = best[i - 1];
      where[i] = where[i - 1];
    }
    best[i] = value;
    where[i] = cell;
  }
  for (guint i = 0; i < PEAKS; i++) {
    total += best[i];
    sum_x += (double) best[i] * (where[i] % columns);
    sum_y += (double) best[i] * (where[i] / columns);
  }
  if (total <= 0)
    return FALSE;
  *x = sum_x / total;
  *y = sum_y / total;
  if (confidence)
    *confidence = best[0];
  return TRUE;
}
