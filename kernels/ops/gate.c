/* Launches gate.cl. */
#include "gate.h"

#include "row_launch.h"

void
rvm_gate_context (RvmQueue *queue, RvmTensor gates, RvmTensor state, const RvmBuffer *scale, RvmTensor context, RvmTensor update_mean,
    float epsilon)
{
  const guint rows = state.rows, dim = state.width;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("state", state, rows, dim),
    RVM_CHECK_MATRIX ("gates", gates, rows, 2 * dim),
    RVM_CHECK_VECTOR ("scale", scale, dim),
    RVM_CHECK_MATRIX ("context", context, rows, dim),
    RVM_CHECK_MATRIX ("mean of the update gate", update_mean, rows, 1),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gates.buffer), RVM_ARG_BUFFER (state.buffer), RVM_ARG_BUFFER (scale), RVM_ARG_BUFFER (context.buffer),
    RVM_ARG_BUFFER (update_mean.buffer), RVM_ARG_UINT (dim), RVM_ARG_FLOAT (epsilon),
  };

  if (rvm_tensors_check (queue, "gates", checks, G_N_ELEMENTS (checks)))
    rvm_launch_rows (queue, "gate", "gate_context", rows, G_N_ELEMENTS (args), args);
}

void
rvm_state_update (RvmQueue *queue, RvmTensor gates, RvmTensor state, RvmTensor candidate, RvmTensor out)
{
  const guint rows = state.rows, dim = state.width;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("state", state, rows, dim),
    RVM_CHECK_MATRIX ("gates", gates, rows, 2 * dim),
    RVM_CHECK_MATRIX ("candidate", candidate, rows, dim),
    RVM_CHECK_MATRIX ("new state", out, rows, dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gates.buffer), RVM_ARG_BUFFER (state.buffer), RVM_ARG_BUFFER (candidate.buffer), RVM_ARG_BUFFER (out.buffer),
    RVM_ARG_UINT (dim),
  };

  if (rvm_tensors_check (queue, "update of the state", checks, G_N_ELEMENTS (checks)))
    rvm_launch_rows (queue, "gate", "state_update", rows, G_N_ELEMENTS (args), args);
}
