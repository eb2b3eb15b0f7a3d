/* A region of the query is compared with the patches that are most like it, as many as it has itself, wherever they are: objects move. */
#include "regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/error.h"
#include "video/mask_png.h"

static gboolean
parse_numbers (const char *text, double *numbers, guint n)
{
  const char *at = text;

  for (guint i = 0; i < n; i++) {
    char *end;

    numbers[i] = g_ascii_strtod (at, &end);
    if (end == at || !isfinite (numbers[i]) || *end != (i + 1 < n ? ',' : '\0'))
      return FALSE;
    at = end + 1;
  }
  return TRUE;
}

gboolean
rvm_region_parse (const char *box, const char *point, const char *mask, RvmRegion *region, GError **error)
{
  double numbers[4] = { 0 };

  *region = (RvmRegion){ .given = box || point || mask, .mask = mask };
  if ((box != NULL) + (point != NULL) + (mask != NULL) > 1) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--box, --point and --mask are three ways to name a region: expected one of them");
    return FALSE;
  }
  if ((box && (!parse_numbers (box, numbers, 4) || numbers[2] <= 0 || numbers[3] <= 0)) || (point && !parse_numbers (point, numbers, 2))) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, box ? "--box '%s': expected x,y,width,height in pixels of the picture" : "--point '%s': expected x,y in pixels of"
        " the picture", box ? box : point);
    return FALSE;
  }
  region->x = numbers[0];
  region->y = numbers[1];
  region->width = numbers[2];
  region->height = numbers[3];
  return TRUE;
}

static gboolean
cover_mask (const char *path, const RvmRecord *shape, float *cover, GError **error)
{
  g_autoptr (RvmMask) mask = rvm_mask_read_png (path, error);

  if (mask == NULL)
    return FALSE;
  if (mask->width != shape->width || mask->height != shape->height) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is %u x %u pixels, expected those of the picture, %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT, path, mask->width,
        mask->height, shape->width, shape->height);
    return FALSE;
  }
  for (guint y = 0; y < mask->height; y++)
    for (guint x = 0; x < mask->width; x++)
      if (mask->pixels[(gsize) y * mask->width + x]) {
        const gsize row = (gsize) y * shape->rows / mask->height, column = (gsize) x * shape->columns / mask->width;
        cover[row * shape->columns + column] += (float) (shape->rows * shape->columns) / ((float) mask->width * mask->height);
      }
  return TRUE;
}

/* How much of [@at, @at + 1] lies in [@from, @to]. */
static float
overlap (double at, double from, double to)
{
  return MAX (MIN (at + 1, to) - MAX (at, from), 0);
}

float *
rvm_region_cover (const RvmRegion *region, const RvmRecord *shape, double *share, GError **error)
{
  const double across = (double) shape->columns / shape->width, along = (double) shape->rows / shape->height;
  const gsize n = shape->rows * shape->columns;
  g_autofree float *cover = g_new0 (float, n);
  double all = 0;

  if (region->mask && !cover_mask (region->mask, shape, cover, error))
    return NULL;
  for (gsize i = 0; !region->mask && i < n; i++) {
    const double column = i % shape->columns, row = i / shape->columns, x = region->x * across, y = region->y * along;

    if (region->width > 0)
      cover[i] = overlap (column, x, x + region->width * across) * overlap (row, y, y + region->height * along);
    else
      cover[i] = x >= column && x < column + 1 && y >= row && y < row + 1;
  }
  for (gsize i = 0; i < n; i++)
    all += cover[i];
  if (all <= 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "the region lies outside of the picture, which has %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " pixels",
        shape->width, shape->height);
    return NULL;
  }
  *share = MIN (all / n, 1);
  return g_steal_pointer (&cover);
}

void
rvm_region_average (const float *cover, const float *patches, gsize n, guint dim, float *average)
{
  double all = 0;

  for (gsize i = 0; i < n; i++)
    all += cover[i];
  for (gsize i = 0; i < n; i++)
    for (guint c = 0; cover[i] > 0 && c < dim; c++)
      average[c] += patches[i * dim + c] * (cover[i] / all);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const float x = *(const float *) a, y = *(const float *) b;

  return (x < y) - (x > y);
}

float
rvm_region_score (float *cosines, gsize n, double share, guint *best)
{
  const gsize used = CLAMP ((gsize) lrint (share * n), 1, n);
  double sum = 0;

  *best = 0;
  for (gsize i = 1; i < n; i++)
    if (cosines[i] > cosines[*best])
      *best = i;
  if (used == 1)
    return cosines[*best];
  qsort (cosines, n, sizeof *cosines, compare);
  for (gsize i = 0; i < used; i++)
    sum += cosines[i];
  return sum / used;
}
