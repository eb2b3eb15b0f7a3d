/* The loss of reconstructed patches: its value, and its gradient. */
#include "checkcl.h"
#include "kernels/ops/loss.h"

typedef struct {
  guint pictures;
  RvmPatchGrid grid;
  gboolean all;
  guint8 *pixels;
  guint32 *slot;
  float *predicted;
} Loss;

/* The sum of squares of row @i of picture @p. */
static double
row_loss (const Loss *l, guint p, guint i)
{
  const guint patch = l->grid.patch, columns = l->grid.columns, tokens = 1 + l->grid.rows * columns, values = patch * patch * 3;
  const guint line = 3 * patch, width = columns * line;
  double sum = 0;

  for (guint v = 0; i > 0 && v < values; v++) {
    const guint row = (i - 1) / columns * patch + v / line, column = (i - 1) % columns * line + v % line;
    const double e = l->predicted[((gsize) p * tokens + i) * values + v] - l->pixels[((gsize) p * l->grid.rows * patch + row) * width + column] / 255.0;

    sum += e * e;
  }
  return sum;
}

static double
reconstruction_loss (gconstpointer data)
{
  const Loss *l = data;
  const guint tokens = 1 + l->grid.rows * l->grid.columns;
  double sum = 0;

  for (guint p = 0; p < l->pictures; p++)
    for (guint i = 1; i < tokens; i++)
      if (l->all || l->slot[p * tokens + i] == RVM_SLOT_HIDDEN)
        sum += row_loss (l, p, i);
  return 0.5 * sum;
}

static void
check_pictures (guint pictures, guint rows, guint columns, guint patch, gboolean all)
{
  check_case ("%u pictures of %u x %u patches of %u pixels, all %d", pictures, rows, columns, patch, all);

  const guint tokens = 1 + rows * columns, values = patch * patch * 3, n = pictures * tokens;
  const gsize count = (gsize) n * values, pixels = (gsize) pictures * (tokens - 1) * values;
  Loss l = { pictures, { rows, columns, patch }, all, g_new (guint8, pixels), g_new (guint32, n), check_random (count, 1) };
  g_autofree double *expected = g_new (double, n);
  g_autoptr (RvmBuffer) predicted = check_upload (l.predicted, count), truth = NULL, slot = NULL;
  g_autoptr (RvmBuffer) d = check_upload (NULL, count), losses = check_output (n);

  for (gsize i = 0; i < pixels; i++)
    l.pixels[i] = g_rand_int (check_rng);
  for (guint i = 0; i < n; i++)
    l.slot[i] = i % 3 ? RVM_SLOT_HIDDEN : i;
  truth = check_upload_bytes (l.pixels, pixels);
  slot = check_upload_bytes (l.slot, n * sizeof (guint32));
  rvm_reconstruction_loss (check_queue, &(RvmReconstructionLoss){
                                            .predicted = rvm_tensor (predicted, n, values), .pixels = truth, .slot = slot, .all = all, .scale = 1,
                                            .dpredicted = rvm_tensor (d, n, values), .row_loss = losses, .pictures = pictures, .grid = l.grid,
                                        });
  check_gradient_buffer ("gradient", l.predicted, d, count, reconstruction_loss, &l);
  for (guint i = 0; i < n; i++)
    expected[i] = row_loss (&l, i / tokens, i % tokens);
  check_compare ("losses of rows", losses, expected, n, 2e-6);
  g_free (l.pixels);
  g_free (l.slot);
  g_free (l.predicted);
}

static void
check (gboolean quick)
{
  check_pictures (1, 2, 3, 7, TRUE);
  if (!quick)
    check_pictures (2, 3, 5, 4, FALSE);
}

const CheckOp check_loss = { "loss", check, NULL, NULL };
