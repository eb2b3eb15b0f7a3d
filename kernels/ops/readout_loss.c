/* Launches readout_loss.cl. */
#include "readout_loss.h"

#include "kernels/runtime/launch.h"

static void
launch (RvmQueue *queue, const char *name, const RvmReadoutLoss *loss)
{
  const guint rows = loss->x.rows, columns = loss->x.width;
  const gsize global = rows;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("outputs", loss->x, rows, columns),
    RVM_CHECK_MATRIX ("target", loss->target, rows, columns),
    RVM_CHECK_VECTOR ("weights", loss->weight, rows),
    RVM_CHECK_MATRIX ("gradient of the outputs", loss->dx, rows, columns),
    RVM_CHECK_VECTOR ("losses of rows", loss->row_loss, rows),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (loss->x.buffer), RVM_ARG_BUFFER (loss->target.buffer), RVM_ARG_BUFFER (loss->weight), RVM_ARG_BUFFER (loss->dx.buffer),
    RVM_ARG_BUFFER (loss->row_loss), RVM_ARG_UINT (columns),
  };

  if (rvm_tensors_check (queue, name, checks, G_N_ELEMENTS (checks)))
    rvm_queue_launch (queue, &(RvmKernel){ "readout_loss", name, "-DRVM_VECTOR=1", NULL }, 1, &global, NULL, G_N_ELEMENTS (args), args);
}

void
rvm_cross_entropy (RvmQueue *queue, const RvmReadoutLoss *loss)
{
  launch (queue, "cross_entropy", loss);
}

void
rvm_absolute_error (RvmQueue *queue, const RvmReadoutLoss *loss)
{
  launch (queue, "absolute_error", loss);
}
