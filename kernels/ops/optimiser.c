/* Launchers of adamw.cl. */
#include "optimiser.h"

#include <math.h>

#include "kernels/runtime/cl.h"

#define BLOCK 4096 /* RVM_BLOCK of adamw.cl */

guint
rvm_square_sums_count (guint count)
{
  return (count + BLOCK - 1) / BLOCK;
}

void
rvm_square_sums (RvmQueue *queue, const RvmBuffer *x, guint count, RvmBuffer *out, guint offset)
{
  const RvmArg args[] = { RVM_ARG_BUFFER (x), RVM_ARG_UINT (count), RVM_ARG_BUFFER (out), RVM_ARG_UINT (offset) };

  rvm_queue_launch_rows (queue, "optimiser", "square_sums", rvm_square_sums_count (count), G_N_ELEMENTS (args), args);
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

  rvm_queue_launch_columns (queue, "optimiser", "adamw", count, 1, G_N_ELEMENTS (args), args);
}
