/* Launches norm_backward.cl, whose blocks of rows leave partial sums, and adds those up. */
#include "norm_backward.h"

#include "kernels/cl/flags.h"
#include "row_launch.h"
#include "row_sum.h"

static guint
count_blocks (guint rows)
{
  return (rows + RVM_NORM_BLOCK - 1) / RVM_NORM_BLOCK;
}

gsize
rvm_norm_backward_scratch (guint rows, guint dim)
{
  return (gsize) count_blocks (rows) * 2 * dim;
}

void
rvm_layernorm_backward (RvmQueue *queue, const RvmLayerNormBackward *norm)
{
  const guint rows = norm->x.rows, dim = norm->x.width, blocks = count_blocks (rows);
  const RvmTensor partial = rvm_tensor (norm->scratch, blocks, 2 * dim); /* dscale | dbias */
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("input", norm->x, rows, dim),
    RVM_CHECK_VECTOR ("scale", norm->scale, dim),
    RVM_CHECK_MATRIX ("gradient of the output", norm->dout, rows, dim),
    RVM_CHECK_MATRIX ("gradient of the input", norm->dx, rows, dim),
    RVM_CHECK_MATRIX ("scratch", partial, blocks, 2 * dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (norm->x.buffer), RVM_ARG_BUFFER (norm->dout.buffer), RVM_ARG_BUFFER (norm->scale), RVM_ARG_BUFFER (norm->dx.buffer),
    RVM_ARG_BUFFER (norm->scratch), RVM_ARG_UINT (rows), RVM_ARG_UINT (dim), RVM_ARG_FLOAT (norm->epsilon), RVM_ARG_UINT (norm->accumulate_dx),
  };
  RvmRowSum sum = {
    .x = rvm_tensor_columns (partial, 0, dim), .pictures = 1, .rows = blocks, .out = norm->dscale, .accumulate = norm->accumulate,
  };

  if (!rvm_tensors_check (queue, "backward pass of a layer norm", checks, G_N_ELEMENTS (checks)))
    return;
  rvm_launch_rows (queue, "norm_backward", "layernorm_backward", blocks, G_N_ELEMENTS (args), args);
  rvm_sum_rows (queue, &sum);
  if (norm->dbias) {
    sum.x = rvm_tensor_columns (partial, dim, dim);
    sum.out = norm->dbias;
    rvm_sum_rows (queue, &sum);
  }
}
