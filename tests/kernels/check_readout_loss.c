/* Losses of readouts, and their gradients. */
#include "checkcl.h"

#include <math.h>

#include "kernels/cl/flags.h"
#include "kernels/ops/readout_loss.h"

typedef struct {
  guint rows, columns;
  float *x, *target, *weight;
} Case;

static double
cross_entropy_of_row (const Case *c, guint row)
{
  const float *x = c->x + (gsize) row * c->columns, *target = c->target + (gsize) row * c->columns;
  double top = -INFINITY, total = 0, loss = 0;

  for (guint i = 0; i < c->columns; i++)
    top = MAX (top, x[i]);
  for (guint i = 0; i < c->columns; i++)
    total += exp (x[i] - top);
  for (guint i = 0; i < c->columns; i++)
    loss -= target[i] * (x[i] - top - log (total));
  return c->weight[row] * loss;
}

static double
absolute_error_of_row (const Case *c, guint row)
{
  double loss = 0;

  for (gsize i = (gsize) row * c->columns; i < (gsize) (row + 1) * c->columns; i++)
    if (c->target[i] != RVM_TARGET_UNKNOWN)
      loss += fabs ((double) c->x[i] - c->target[i]);
  return c->weight[row] * loss;
}

static double
cross_entropy (gconstpointer data)
{
  const Case *c = data;
  double sum = 0;

  for (guint row = 0; row < c->rows; row++)
    sum += cross_entropy_of_row (c, row);
  return sum;
}

static double
absolute_error (gconstpointer data)
{
  const Case *c = data;
  double sum = 0;

  for (guint row = 0; row < c->rows; row++)
    sum += absolute_error_of_row (c, row);
  return sum;
}

static void
run (const char *name, Case *c, gboolean absolute)
{
  const guint rows = c->rows, columns = c->columns;
  const gsize count = (gsize) rows * columns;
  g_autofree double *expected = g_new (double, rows);
  g_autoptr (RvmBuffer) x = check_upload (c->x, count), target = check_upload (c->target, count), weight = check_upload (c->weight, rows);
  g_autoptr (RvmBuffer) dx = check_upload (NULL, count), losses = check_output (rows);

  check_case ("%s, %u rows of %u", name, rows, columns);
  (absolute ? rvm_absolute_error : rvm_cross_entropy) (check_queue, &(RvmReadoutLoss){
                                                                       .x = rvm_tensor (x, rows, columns),
                                                                       .target = rvm_tensor (target, rows, columns), .weight = weight,
                                                                       .dx = rvm_tensor (dx, rows, columns), .row_loss = losses,
                                                                   });
  for (guint row = 0; row < rows; row++)
    expected[row] = absolute ? absolute_error_of_row (c, row) : cross_entropy_of_row (c, row);
  check_compare ("losses of rows", losses, expected, rows, 2e-6);
  check_gradient_buffer ("gradient", c->x, dx, count, absolute ? absolute_error : cross_entropy, c);
}

static void
check_sizes (guint rows, guint columns)
{
  const gsize count = (gsize) rows * columns;
  Case c;

  check_case ("%u rows of %u", rows, columns);
  c = (Case){ rows, columns, check_random (count, 5), check_random (count, 1), check_random (rows, 1) };
  for (guint row = 0; row < rows; row++)
    c.weight[row] = row % 4 == 3 ? 0 : fabsf (c.weight[row]);
  for (gsize i = 0; i < count; i++) {
    c.target[i] = i % 5 == 4 ? RVM_TARGET_UNKNOWN : c.target[i] + (c.target[i] < c.x[i] ? -1 : 1) * 0.1f; /* away from the kink */
  }
  run ("absolute error", &c, TRUE);
  for (guint row = 0; row < rows; row++) {
    float *target = c.target + (gsize) row * columns;
    float sum = 0;

    for (guint i = 0; i < columns; i++)
      sum += target[i] = g_rand_double_range (check_rng, 0.1, 1);
    for (guint i = 0; i < columns; i++)
      target[i] /= sum;
  }
  run ("cross-entropy", &c, FALSE);
  g_free (c.x);
  g_free (c.target);
  g_free (c.weight);
}

static void
check (gboolean quick)
{
  check_sizes (1, 1);
  check_sizes (5, 8);
  if (quick)
    return;
  check_sizes (130, 3);
  check_sizes (2, 400);
}

const CheckOp check_readout_loss = { "readout_loss", check, NULL, NULL };
