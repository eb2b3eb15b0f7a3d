/* Launches the backward kernels of tokens.cl. */
#include "tokens_backward.h"

#include "row_launch.h"

void
rvm_decoder_token_sums (RvmQueue *queue, RvmTensor d, const RvmBuffer *slot, RvmTensor out)
{
  const guint pictures = out.rows / 2, tokens = pictures ? d.rows / pictures : 0;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("gradient of the tokens", d, pictures * tokens, d.width),
    RVM_CHECK_MATRIX ("sums", out, 2 * pictures, d.width),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (d.buffer), RVM_ARG_BUFFER (slot), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (tokens), RVM_ARG_UINT (d.width),
  };

  if (rvm_tensors_check (queue, "sums of tokens", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "decoder_token_sums", d.width, pictures, G_N_ELEMENTS (args), args);
}

void
rvm_sum_by_gap (RvmQueue *queue, RvmTensor x, const RvmBuffer *gap, RvmTensor out, gboolean accumulate)
{
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("pictures", x, x.rows, x.width),
    RVM_CHECK_MATRIX ("sums", out, out.rows, x.width),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (gap), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (x.rows), RVM_ARG_UINT (x.width),
    RVM_ARG_UINT (accumulate),
  };

  if (rvm_tensors_check (queue, "sums by gap", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "sum_by_gap", x.width, out.rows, G_N_ELEMENTS (args), args);
}
