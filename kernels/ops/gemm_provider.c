/* Storing weights in panels. */
#include "gemm_provider.h"

#include <string.h>

#include "kernels/half.h"

/* Larger weights are stored as this, the largest half: they do not occur in practice, and an infinity would become NaN in later layers. */
#define MAX_HALF 65504.0f
#define MAX_BFLOAT 0x1.fep127f /* the same for bfloat16 */

void
rvm_gemm_store_row (RvmLinear *linear, guint row, guint column, guint count, const float *values)
{
  while (count > 0) {
    const guint in_panel = column % linear->panel;
    const guint run = MIN (count, linear->panel - in_panel);
    const gsize at = ((gsize) (column / linear->panel) * linear->k + row) * linear->panel + in_panel;

    if (linear->type == RVM_ELEMENT_F16)
      for (guint i = 0; i < run; i++)
        ((guint16 *) linear->kernel_map)[at + i] = rvm_float_to_half (CLAMP (values[i], -MAX_HALF, MAX_HALF));
    else if (linear->type == RVM_ELEMENT_BF16)
      for (guint i = 0; i < run; i++)
        ((guint16 *) linear->kernel_map)[at + i] = rvm_float_to_bfloat (CLAMP (values[i], -MAX_BFLOAT, MAX_BFLOAT));
    else
      memcpy ((float *) linear->kernel_map + at, values, run * sizeof (float));
    column += run;
    values += run;
    count -= run;
  }
}
