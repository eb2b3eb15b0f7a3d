/* Sums over rows of tokens. */
#include "checkcl.h"
#include "kernels/ops/row_sum.h"

static void
check_rows (guint pictures, guint picture_rows, guint first, guint rows, guint dim)
{
  check_case ("%u pictures of %u rows, rows %u to %u, dim %u", pictures, picture_rows, first, first + rows, dim);

  const guint stride = dim + 2;
  const gsize count = (gsize) pictures * picture_rows * stride;
  g_autofree float *values = check_random (count, 1), *before = check_random (dim, 1);
  g_autofree double *expected = g_new (double, dim);
  g_autoptr (RvmBuffer) x = check_upload (values, count), out = check_output (dim);
  RvmRowSum sum = {
    .x = rvm_tensor_columns (rvm_tensor (x, pictures * picture_rows, stride), 1, dim), .pictures = pictures, .first = first, .rows = rows,
    .out = out,
  };

  for (guint j = 0; j < dim; j++) {
    expected[j] = 0;
    for (guint b = 0; b < pictures; b++)
      for (guint r = first; r < first + rows; r++)
        expected[j] += values[((gsize) b * picture_rows + r) * stride + 1 + j];
  }
  rvm_sum_rows (check_queue, &sum);
  check_compare ("sum", out, expected, dim, 1e-6);
  rvm_queue_write (check_queue, out, 0, before, dim * sizeof (float));
  sum.accumulate = TRUE;
  rvm_sum_rows (check_queue, &sum);
  for (guint j = 0; j < dim; j++)
    expected[j] += before[j];
  check_compare ("sum, accumulated", out, expected, dim, 1e-6);
}

static void
check (gboolean quick)
{
  check_rows (1, 1, 0, 1, 1);
  check_rows (3, 5, 1, 4, 19);
  if (quick)
    return;
  check_rows (2, 65, 0, 1, 33);
  check_rows (7, 17, 3, 9, 130);
}

const CheckOp check_row_sum = { "row_sum", check, NULL, NULL };
