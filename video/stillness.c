/* One pass over the picture that was just converted, while it is in the processor's cache. Sums of blocks are compared instead of means: those
 * of a block are at most 16 * 255. */
#include "stillness.h"

#include <math.h>
#include <string.h>

#define BLOCK 4
#define CHANNELS 3

struct _RvmStillness
{
  guint width, height;
  guint columns, rows;          /* of blocks; those at the right and the bottom may be smaller */
  guint16 *sums[2];             /* of the picture measured last, and of the one kept: (rows, columns, channels) */
  gboolean kept;
};

RvmStillness *
rvm_stillness_new (guint width, guint height)
{
  RvmStillness *stillness = g_new0 (RvmStillness, 1);
  gsize count;

  stillness->width = width;
  stillness->height = height;
  stillness->columns = (width + BLOCK - 1) / BLOCK;
  stillness->rows = (height + BLOCK - 1) / BLOCK;
  count = (gsize) stillness->columns * stillness->rows * CHANNELS;
  for (guint i = 0; i < G_N_ELEMENTS (stillness->sums); i++)
    stillness->sums[i] = g_new (guint16, count);
  return stillness;
}

void
rvm_stillness_free (RvmStillness * stillness)
{
  if (stillness == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (stillness->sums); i++)
    g_free (stillness->sums[i]);
  g_free (stillness);
}

/* The blocks of one row of them, of @height pixels. */
static void
sum_blocks (const guint8 * pixels, gsize stride, guint width, guint height,
    guint16 * sums)
{
  for (guint y = 0; y < height; y++) {
    const guint8 *p = pixels + y * stride;

    for (guint x = 0; x < width; x++, p += CHANNELS) {
      guint16 *sum = sums + x / BLOCK * CHANNELS;

      sum[0] += p[0];
      sum[1] += p[1];
      sum[2] += p[2];
    }
  }
}

/* The largest difference of two rows of blocks' sums, as one of means. */
static gdouble
compare_blocks (const guint16 * a, const guint16 * b, guint width,
    guint height)
{
  const guint whole = width / BLOCK * CHANNELS, all = (width + BLOCK - 1) / BLOCK * CHANNELS;
  gint most = 0, most_of_last = 0;
  gdouble change;

  for (guint i = 0; i < whole; i++)
    most = MAX (most, ABS (a[i] - b[i]));
  for (guint i = whole; i < all; i++)
    most_of_last = MAX (most_of_last, ABS (a[i] - b[i]));
  change = most / (gdouble) (BLOCK * height);
  return whole == all ? change : MAX (change, most_of_last / (gdouble) (width % BLOCK * height));
}

gdouble
rvm_stillness_measure (RvmStillness * stillness, const guint8 * pixels,
    gsize stride)
{
  const gsize in_row = (gsize) stillness->columns * CHANNELS;
  gdouble change = 0;

  memset (stillness->sums[0], 0, stillness->rows * in_row * sizeof (guint16));
  for (guint row = 0; row < stillness->rows; row++) {
    const guint first = row * BLOCK, height = MIN (BLOCK, stillness->height - first);
    guint16 *sums = stillness->sums[0] + row * in_row;

    sum_blocks (pixels + first * stride, stride, stillness->width, height, sums);
    if (stillness->kept)
      change = MAX (change, compare_blocks (sums, stillness->sums[1] + row * in_row, stillness->width, height));
  }
  return stillness->kept ? change : INFINITY;
}

void
rvm_stillness_keep (RvmStillness * stillness)
{
  guint16 *sums = stillness->sums[0];

  stillness->sums[0] = stillness->sums[1];
  stillness->sums[1] = sums;
  stillness->kept = TRUE;
}

guint
rvm_stillness_get_width (const RvmStillness * stillness)
{
  return stillness->width;
}

guint
rvm_stillness_get_height (const RvmStillness * stillness)
{
  return stillness->height;
}
