/* Launches row_sum.cl. */
#include "row_sum.h"

#include "row_launch.h"

void
rvm_sum_rows (RvmQueue *queue, const RvmRowSum *sum)
{
  const guint dim = sum->x.width, picture_rows = sum->x.rows / sum->pictures;
  const RvmTensor first = rvm_tensor_rows (sum->x, sum->first, sum->rows);
  const RvmTensorCheck checks[] = {
    RVM_CHECK_VIEW ("rows", sum->x, sum->pictures * picture_rows, dim),
    RVM_CHECK_VIEW ("rows of a picture", first, sum->first <= picture_rows ? MIN (sum->rows, picture_rows - sum->first) : 0, dim),
    RVM_CHECK_VECTOR ("sum", sum->out, dim),
  };
  const RvmArg args[] = {
    RVM_ARGS_TENSOR (first), RVM_ARG_UINT (sum->pictures), RVM_ARG_UINT (picture_rows), RVM_ARG_UINT (sum->rows), RVM_ARG_BUFFER (sum->out),
    RVM_ARG_UINT (dim), RVM_ARG_UINT (sum->accumulate),
  };

  if (rvm_tensors_check (queue, "sum of rows", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "row_sum", "sum_rows", dim, 1, G_N_ELEMENTS (args), args);
}
