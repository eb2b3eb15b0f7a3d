/* Launches norm.cl, as a step of a chain. */
#include "norm.h"

#include "chain.h"
#include "kernels/cl/flags.h"

void
rvm_layernorm (RvmQueue *queue, RvmTensor x, const RvmBuffer *scale, const RvmBuffer *bias, RvmTensor out, float epsilon)
{
  RvmDevice *device = rvm_queue_get_device (queue);
  const RvmTiles tiles = rvm_tiles_for_device (device);
  const gboolean bfloats = out.type == RVM_ELEMENT_BF16 && rvm_matrix_units_are_usable (rvm_device_get_matrix_units (device));
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("input", x, x.rows, x.width),
    { "output", out, x.rows, x.width, RVM_TENSOR_CONTIGUOUS, bfloats ? RVM_ELEMENT_BF16 : RVM_ELEMENT_F32 },
    RVM_CHECK_VECTOR ("scale", scale, x.width),
    RVM_CHECK_VECTOR ("bias", bias ? bias : scale, x.width),
  };

  if (rvm_tensors_check (queue, "layer norm", checks, G_N_ELEMENTS (checks)))
    rvm_chain_run (queue, &tiles,
        &(RvmChainStep){
            .is_norm = TRUE, .a = x, .out = out, .weights = scale, .bias = bias, .flags = bias ? RVM_EPILOGUE_BIAS : 0, .epsilon = epsilon,
        });
}
