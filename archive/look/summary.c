/* Sums are of doubles, in the order of the patches. */
#include "summary.h"

#include <math.h>

void
rvm_summary_measure (const float *patches, gsize n, gsize dim, float *summary)
{
  for (gsize c = 0; c < dim; c++) {
    double sum = 0, squares = 0;

    for (gsize p = 0; p < n; p++)
      sum += patches[p * dim + c];
    for (gsize p = 0; p < n; p++) {
      const double away = patches[p * dim + c] - sum / n;

      squares += away * away;
    }
    summary[c] = sum / n;
    summary[dim + c] = sqrt (squares / n);
  }
}
