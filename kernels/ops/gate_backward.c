/* Launches gate_backward.cl. */
#include "gate_backward.h"

#include "kernels/cl/flags.h"
#include "row_launch.h"
#include "row_sum.h"

void
rvm_state_update_backward (RvmQueue *queue, const RvmStateUpdateBackward *update)
{
  const guint rows = update->state.rows, dim = update->state.width;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("gates", update->gates, rows, 2 * dim),
    RVM_CHECK_MATRIX ("state", update->state, rows, dim),
    RVM_CHECK_MATRIX ("candidate", update->candidate, rows, dim),
    RVM_CHECK_MATRIX ("gradient of the new state", update->dnext, rows, dim),
    RVM_CHECK_MATRIX ("gradient of the candidate", update->dcandidate, rows, dim),
    RVM_CHECK_MATRIX ("gradient of the state", update->dstate, rows, dim),
    RVM_CHECK_MATRIX ("gradient of the gates", update->dgates, rows, 2 * dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (update->gates.buffer), RVM_ARG_BUFFER (update->state.buffer), RVM_ARG_BUFFER (update->candidate.buffer),
    RVM_ARG_BUFFER (update->dnext.buffer), RVM_ARG_BUFFER (update->dcandidate.buffer), RVM_ARG_BUFFER (update->dstate.buffer),
    RVM_ARG_BUFFER (update->dgates.buffer), RVM_ARG_UINT (dim),
  };

  if (rvm_tensors_check (queue, "backward pass of the update of the state", checks, G_N_ELEMENTS (checks)))
    rvm_launch_rows (queue, "gate_backward", "state_update_backward", rows, G_N_ELEMENTS (args), args);
}

void
rvm_gate_context_backward (RvmQueue *queue, const RvmGateContextBackward *gate)
{
  const guint rows = gate->state.rows, dim = gate->state.width, blocks = (rows + RVM_NORM_BLOCK - 1) / RVM_NORM_BLOCK;
  const RvmTensor partial = rvm_tensor (gate->scratch, blocks, dim);
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("gates", gate->gates, rows, 2 * dim),
    RVM_CHECK_MATRIX ("state", gate->state, rows, dim),
    RVM_CHECK_VECTOR ("scale", gate->scale, dim),
    RVM_CHECK_MATRIX ("gradient of the context", gate->dcontext, rows, dim),
    RVM_CHECK_MATRIX ("gradient of the gates", gate->dgates, rows, 2 * dim),
    RVM_CHECK_MATRIX ("gradient of the state", gate->dstate, rows, dim),
    RVM_CHECK_MATRIX ("scratch", partial, blocks, dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gate->gates.buffer), RVM_ARG_BUFFER (gate->state.buffer), RVM_ARG_BUFFER (gate->scale),
    RVM_ARG_BUFFER (gate->dcontext.buffer), RVM_ARG_BUFFER (gate->dgates.buffer), RVM_ARG_BUFFER (gate->dstate.buffer),
    RVM_ARG_BUFFER (gate->scratch), RVM_ARG_UINT (rows), RVM_ARG_UINT (dim), RVM_ARG_FLOAT (gate->epsilon),
  };

  if (!rvm_tensors_check (queue, "backward pass of the gates", checks, G_N_ELEMENTS (checks)))
    return;
  rvm_launch_rows (queue, "gate_backward", "gate_context_backward", blocks, G_N_ELEMENTS (args), args);
  rvm_sum_rows (queue, &(RvmRowSum){ .x = partial, .pictures = 1, .rows = blocks, .out = gate->dscale, .accumulate = gate->accumulate });
}
