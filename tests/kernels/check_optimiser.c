/* AdamW and sums of squares. */
#include <math.h>

#include "checkcl.h"
#include "kernels/cl/flags.h"
#include "kernels/ops/optimiser.h"

static void
check_adamw (guint count)
{
  check_case ("AdamW, %u elements", count);

  const RvmAdamW adamw = { .rate = 0.01, .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip = 0.5, .step = 3 };
  g_autofree float *x = check_random (count, 1), *gradient = check_random (count, 1), *m = check_random (count, 1), *v = check_random (count, 1);
  g_autofree double *expected_x = g_new (double, count), *expected_m = g_new (double, count), *expected_v = g_new (double, count);
  g_autoptr (RvmBuffer) weights = check_output (count), moments = check_output (count), squares = check_output (count);
  g_autoptr (RvmBuffer) d = check_upload (gradient, count);

  for (guint i = 0; i < count; i++) {
    const double g = gradient[i] * adamw.clip;

    v[i] = fabsf (v[i]);
    expected_m[i] = adamw.b1 * m[i] + (1 - adamw.b1) * g;
    expected_v[i] = adamw.b2 * v[i] + (1 - adamw.b2) * g * g;
    expected_x[i] = x[i] - adamw.rate * (expected_m[i] / (1 - pow (adamw.b1, 3)) / (sqrt (expected_v[i] / (1 - pow (adamw.b2, 3))) + adamw.epsilon)
                                         + adamw.decay * x[i]);
  }
  rvm_queue_write (check_queue, weights, 0, x, count * sizeof (float));
  rvm_queue_write (check_queue, moments, 0, m, count * sizeof (float));
  rvm_queue_write (check_queue, squares, 0, v, count * sizeof (float));
  rvm_adamw (check_queue, weights, d, moments, squares, count, &adamw);
  check_compare ("first moment", moments, expected_m, count, 1e-6);
  check_compare ("second moment", squares, expected_v, count, 1e-6);
  check_compare ("weights", weights, expected_x, count, 1e-6);
}

static void
check_squares (guint count)
{
  check_case ("squares of %u elements", count);

  const guint blocks = rvm_square_sums_count (count), offset = 3;
  g_autofree float *x = check_random (count, 1), *before = check_random (offset, 1);
  g_autofree double *expected = g_new0 (double, offset + blocks);
  g_autoptr (RvmBuffer) in = check_upload (x, count), out = check_output (offset + blocks);

  for (guint i = 0; i < offset; i++)
    expected[i] = before[i];
  for (guint i = 0; i < count; i++)
    expected[offset + i / RVM_SQUARES_BLOCK] += (double) x[i] * x[i];
  rvm_queue_write (check_queue, out, 0, before, offset * sizeof (float));
  rvm_square_sums (check_queue, in, count, out, offset);
  check_compare ("partial sums", out, expected, offset + blocks, 2e-6);
}

static void
check (gboolean quick)
{
  check_adamw (1);
  check_adamw (19);
  check_squares (1);
  check_squares (37);
  if (quick)
    return;
  check_adamw (1000);
  check_squares (RVM_SQUARES_BLOCK);
  check_squares (2 * RVM_SQUARES_BLOCK + 13);
}

const CheckOp check_optimiser = { "optimiser", check, NULL, NULL };
