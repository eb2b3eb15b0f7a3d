/* A cosine counts with weight w if each vector has the root of w as length. */
#include "appearance.h"

#include <math.h>
#include <string.h>

#define COLOURS 3
#define PLACE 4

G_STATIC_ASSERT (COLOURS + PLACE == RVM_APPEARANCE_FLOATS);

guint
rvm_appearance_get_floats (const RvmAppearance *appearance)
{
  return appearance->colours > 0 || appearance->place > 0 ? RVM_APPEARANCE_FLOATS : 0;
}

float
rvm_appearance_get_highest (const RvmAppearance *appearance)
{
  return 1 + appearance->colours + appearance->place;
}

/* Mean colours of cells, to mean 0 and deviation 1 over the cells. */
static void
fill_colours (const guint8 *rgb, guint patch, guint rows, guint columns, float *beside)
{
  const guint cells = rows * columns, width = columns * patch;

  for (guint c = 0; c < COLOURS; c++) {
    double mean = 0, squares = 0, deviation;

    for (guint cell = 0; cell < cells; cell++) {
      const guint8 *corner = rgb + ((gsize) (cell / columns) * patch * width + cell % columns * patch) * COLOURS + c;
      guint sum = 0;

      for (guint i = 0; i < patch * patch; i++)
        sum += corner[((gsize) (i / patch) * width + i % patch) * COLOURS];
      beside[cell * RVM_APPEARANCE_FLOATS + c] = (float) sum / (255 * patch * patch);
      mean += beside[cell * RVM_APPEARANCE_FLOATS + c];
    }
    mean /= cells;
    for (guint cell = 0; cell < cells; cell++)
      squares += pow (beside[cell * RVM_APPEARANCE_FLOATS + c] - mean, 2);
    deviation = sqrt (squares / cells);
    for (guint cell = 0; cell < cells; cell++) {
      float *value = &beside[cell * RVM_APPEARANCE_FLOATS + c];
      /* A channel that is constant says nothing. */
      *value = deviation > 1e-5 ? (*value - mean) / deviation : 0;
    }
  }
}

static void
scale (float *values, guint n, float length)
{
  float sum = 0;

  for (guint i = 0; i < n; i++)
    sum += values[i] * values[i];
  for (guint i = 0; i < n; i++)
    values[i] *= sum > 0 ? length / sqrtf (sum) : 0;
}

void
rvm_appearance_fill (const RvmAppearance *appearance, const guint8 *rgb, guint patch, guint rows, guint columns, float *beside)
{
  const float side = MAX (rows, columns);

  memset (beside, 0, (gsize) rows * columns * RVM_APPEARANCE_FLOATS * sizeof *beside);
  if (rgb && appearance->colours > 0)
    fill_colours (rgb, patch, rows, columns, beside);
  for (guint cell = 0; cell < rows * columns; cell++) {
    float *colours = beside + (gsize) cell * RVM_APPEARANCE_FLOATS, *place = colours + COLOURS;
    /* Half a turn across the longer side: the cosine of two places falls with their distance all the way. */
    const float x = G_PI * (cell % columns + 0.5f) / side, y = G_PI * (cell / columns + 0.5f) / side;

    place[0] = cosf (x);
    place[1] = sinf (x);
    place[2] = cosf (y);
    place[3] = sinf (y);
    scale (colours, COLOURS, sqrtf (appearance->colours));
    scale (place, PLACE, sqrtf (appearance->place));
  }
}
