/* Sums over pixels are integers, which are exact and fast. */
#include "baseline.h"

typedef struct {
  const guint8 *truth, *copy; /* the top left pixel of a patch in each picture */
  gsize line;                 /* bytes of a picture's row */
  guint patch;
} Patch;

/* Sums and sums of squares per colour, and the squared differences from the copy. */
static void
add_patch (const Patch *patch, guint64 sum[3], guint64 squares[3], guint64 *copy)
{
  for (guint y = 0; y < patch->patch; y++)
    for (guint x = 0; x < patch->patch; x++)
      for (guint c = 0; c < 3; c++) {
        const gsize at = y * patch->line + x * 3 + c;
        const gint value = patch->truth[at], difference = value - patch->copy[at];

        sum[c] += value;
        squares[c] += value * value;
        *copy += difference * difference;
      }
}

RvmBaseline
rvm_baseline_measure (const RvmStepShape *shape, guint patch, const RvmBatch *batch)
{
  const guint patches = shape->rows * shape->columns, pictures = shape->samples * shape->targets;
  const gsize line = (gsize) shape->columns * patch * 3, picture = line * shape->rows * patch;
  const double pixels = (double) patch * patch, hidden = pixels * (patches - shape->kept), seen = pixels * shape->kept;
  g_autofree gboolean *visible = g_new (gboolean, patches);
  RvmBaseline result = { 0 };

  for (guint b = 0; b < pictures; b++) {
    const gsize last = ((gsize) (b / shape->targets) * batch->sources + batch->sources - 1) * picture;
    guint64 sums[2][3] = { { 0 } }, squares[2][3] = { { 0 } }, copies[2] = { 0 };

    for (guint p = 0; p < patches; p++)
      visible[p] = FALSE;
    for (guint i = 0; i < shape->kept; i++)
      visible[batch->visible[(gsize) b * shape->kept + i]] = TRUE;
    for (guint p = 0; p < patches; p++) {
      const gsize at = (gsize) (p / shape->columns) * patch * line + (gsize) (p % shape->columns) * patch * 3;
      const Patch here = { batch->target + b * picture + at, batch->source + last + at, line, patch };

      add_patch (&here, sums[visible[p]], squares[visible[p]], &copies[visible[p]]);
    }
    for (guint c = 0; c < 3; c++) {
      const double mean = sums[1][c] / seen;
      result.mean_colour += squares[0][c] - 2 * mean * sums[0][c] + mean * mean * hidden;
    }
    result.copy += copies[0];
  }
  result.mean_colour /= 255.0 * 255.0 * 3 * hidden * pictures;
  result.copy /= 255.0 * 255.0 * 3 * hidden * pictures;
  return result;
}
