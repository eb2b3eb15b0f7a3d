/* Row by row; every sum runs in ascending order, so equal input gives equal bytes. */
#include "cholesky.h"

#include <math.h>

#define LEAST_PIVOT 1e-300

void
rvm_cholesky_factorise (double *a, guint n)
{
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j <= i; j++) {
      const double *x = a + (gsize) i * n, *y = a + (gsize) j * n;
      double sum = x[j];

      for (guint k = 0; k < j; k++)
        sum -= x[k] * y[k];
      a[(gsize) i * n + j] = i == j ? sqrt (MAX (sum, LEAST_PIVOT)) : sum / y[j];
    }
}

void
rvm_cholesky_solve (const double *factor, guint n, double *b, guint stride)
{
  for (guint i = 0; i < n; i++) {
    for (guint k = 0; k < i; k++)
      b[(gsize) i * stride] -= factor[(gsize) i * n + k] * b[(gsize) k * stride];
    b[(gsize) i * stride] /= factor[(gsize) i * n + i];
  }
  for (guint i = n; i-- > 0;) {
    for (guint k = i + 1; k < n; k++)
      b[(gsize) i * stride] -= factor[(gsize) k * n + i] * b[(gsize) k * stride];
    b[(gsize) i * stride] /= factor[(gsize) i * n + i];
  }
}

void
rvm_cholesky_invert (double *factor, guint n)
{
  double *a = factor;

  for (guint c = 0; c < n; c++) { /* a column of the inverse at a time: column c of L is not needed any more */
    a[(gsize) c * n + c] = 1 / a[(gsize) c * n + c];
    for (guint r = c + 1; r < n; r++) {
      double sum = 0;

      for (guint k = c; k < r; k++)
        sum -= a[(gsize) r * n + k] * a[(gsize) k * n + c];
      a[(gsize) r * n + c] = sum / a[(gsize) r * n + r];
    }
    for (guint r = 0; r < c; r++)
      a[(gsize) r * n + c] = 0;
  }
}
