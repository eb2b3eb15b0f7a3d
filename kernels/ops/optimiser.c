/* Launches optimiser.cl. */
#include "optimiser.h"

#include <math.h>

#include "kernels/cl/flags.h"
#include "row_launch.h"

guint
rvm_square_sums_count (guint count)
{
  return (count + RVM_SQUARES_BLOCK - 1) / RVM_SQUARES_BLOCK;
}

void
rvm_square_sums (RvmQueue *queue, const RvmBuffer *x, guint count, RvmBuffer *out, guint offset)
{
  const RvmArg args[] = { RVM_ARG_BUFFER (x), RVM_ARG_UINT (count), RVM_ARG_BUFFER (out), RVM_ARG_UINT (offset) };

  rvm_launch_rows (queue, "optimiser", "square_sums", rvm_square_sums_count (count), G_N_ELEMENTS (args), args);
}

void
rvm_adamw (RvmQueue *queue, RvmBuffer *x, const RvmBuffer *gradient, RvmBuffer *m, RvmBuffer *v, guint count, const RvmAdamW *adamw)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (x), RVM_ARG_BUFFER (gradient), RVM_ARG_BUFFER (m), RVM_ARG_BUFFER (v), RVM_ARG_UINT (count),
    RVM_ARG_FLOAT (adamw->clip), RVM_ARG_FLOAT (adamw->rate), RVM_ARG_FLOAT (adamw->b1), RVM_ARG_FLOAT (adamw->b2),
    RVM_ARG_FLOAT (1 / (1 - pow (adamw->b1, adamw->step))), RVM_ARG_FLOAT (1 / (1 - pow (adamw->b2, adamw->step))),
    RVM_ARG_FLOAT (adamw->epsilon), RVM_ARG_FLOAT (adamw->decay),
  };

  rvm_launch_columns (queue, "optimiser", "adamw", count, 1, G_N_ELEMENTS (args), args);
}
