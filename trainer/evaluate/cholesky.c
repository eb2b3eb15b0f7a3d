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
