/* Launches loss.cl. */
#include "loss.h"

#include "kernels/runtime/launch.h"

void
rvm_reconstruction_loss (RvmQueue *queue, const RvmReconstructionLoss *loss)
{
  const RvmPatchGrid *grid = &loss->grid;
  const guint rows = loss->pictures * (1 + grid->rows * grid->columns), values = grid->patch * grid->patch * 3;
  const gsize global = rows;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("predicted patches", loss->predicted, rows, values),
    RVM_CHECK_MATRIX ("gradient of the predicted patches", loss->dpredicted, rows, values),
    RVM_CHECK_MATRIX ("losses of rows", rvm_tensor (loss->row_loss, rows, 1), rows, 1),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (loss->predicted.buffer), RVM_ARG_BUFFER (loss->pixels), RVM_ARG_BUFFER (loss->slot), RVM_ARG_BUFFER (loss->dpredicted.buffer),
    RVM_ARG_BUFFER (loss->row_loss), RVM_ARG_UINT (grid->rows), RVM_ARG_UINT (grid->columns), RVM_ARG_UINT (grid->patch),
    RVM_ARG_UINT (loss->all), RVM_ARG_FLOAT (loss->scale),
  };

  if (rvm_tensors_check (queue, "loss", checks, G_N_ELEMENTS (checks)))
    rvm_queue_launch (queue, &(RvmKernel){ "loss", "reconstruction_loss", "", NULL }, 1, &global, NULL, G_N_ELEMENTS (args), args);
}
