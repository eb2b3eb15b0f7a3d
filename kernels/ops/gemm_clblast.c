/* Products by CLBlast's SGEMM. Weights are row-major: one panel of n columns. */
#include "gemm_clblast.h"

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "kernels/runtime/cl.h"
#include "kernels/runtime/clblast.h"
#include "kernels/runtime/clblast_parameters.h"
#include "kernels/runtime/launch.h"
#include "row_sum.h"

#include <clblast_c.h>

static gboolean
is_default (RvmDevice *device, RvmElement type)
{
  return type == RVM_ELEMENT_F32;
}

static gboolean
prepare (RvmDevice *device, RvmElement type, GError **error)
{
  if (type == RVM_ELEMENT_F32)
    return rvm_clblast_set_parameters (device, error);
  g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
      "precision %s needs the native GEMM: CLBlast takes weights and activations of one type only", rvm_element_get_name (type));
  return FALSE;
}

static void
lay_out (RvmDevice *device, RvmLinear *linear)
{
  const guint vector = linear->tiles.vector; /* of the epilogue */

  rvm_device_set_clblast (device);
  linear->panel = linear->stored_n = linear->n;
  linear->stored_k = linear->k;
  linear->bias_n = (linear->n + vector - 1) / vector * vector;
}

static void
apply_epilogue (RvmQueue *queue, const RvmLinear *linear, RvmTensor out, const RvmEpilogue *epilogue, guint flags)
{
  /* Buffers that the flags exclude are still arguments, because some drivers do not accept NULL. */
  const RvmArg args[] = {
    RVM_ARG_BUFFER (linear->bias ? linear->bias : linear->kernel),
    RVM_ARG_BUFFER (epilogue->residual.buffer ? epilogue->residual.buffer : out.buffer),
    RVM_ARG_UINT (epilogue->residual.buffer ? epilogue->residual.rows : out.rows),
    RVM_ARG_BUFFER (epilogue->pre_gelu.buffer ? epilogue->pre_gelu.buffer : out.buffer), RVM_ARGS_TENSOR (out), RVM_ARG_UINT (linear->n),
    RVM_ARG_UINT (flags),
  };
  char options[32];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u", linear->tiles.vector);
  rvm_queue_launch (queue, &(RvmKernel){ "linear_epilogue", "epilogue", options, NULL }, 2,
      (const gsize[]){ linear->bias_n / linear->tiles.vector, out.rows }, NULL, G_N_ELEMENTS (args), args);
}

/* c (m, n) = a b, + c if @accumulate; @transpose_a, @transpose_b: the matrix is stored as its transpose. @k: columns of a, rows of b. */
static gboolean
sgemm (RvmQueue *queue, RvmTensor a, gboolean transpose_a, RvmTensor b, gboolean transpose_b, RvmTensor c, guint k, gboolean accumulate)
{
  cl_command_queue cl = rvm_queue_get_cl (queue);
  cl_event event = NULL;
  CLBlastStatusCode status;
  gboolean alone;

  if (rvm_queue_has_failed (queue))
    return FALSE;
  alone = rvm_clblast_begin ();
  status = CLBlastSgemm (CLBlastLayoutRowMajor, transpose_a ? CLBlastTransposeYes : CLBlastTransposeNo,
      transpose_b ? CLBlastTransposeYes : CLBlastTransposeNo, c.rows, c.width, k, 1.0f, rvm_buffer_get_mem (a.buffer), a.offset, a.stride,
      rvm_buffer_get_mem (b.buffer), b.offset, b.stride, accumulate ? 1.0f : 0.0f, rvm_buffer_get_mem (c.buffer), c.offset, c.stride, &cl,
      rvm_queue_is_profiling (queue) ? &event : NULL);
  rvm_clblast_end (alone, status == CLBlastSuccess);
  if (status != CLBlastSuccess) {
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_LAUNCH, "CLBlast's SGEMM (%u x %u x %u) failed with status %d", c.rows, c.width, k,
                               (int) status));
    return FALSE;
  }
  rvm_queue_count (queue, "clblast", event);
  return TRUE;
}

static void
multiply (RvmQueue *queue, const RvmLinear *linear, RvmTensor a, RvmTensor out, const RvmEpilogue *epilogue, guint flags)
{
  /* A residual in place is SGEMM's own beta, unless an activation comes in between. */
  const gboolean in_place = epilogue->residual.buffer == out.buffer;
  const RvmTensor kernel =
      linear->transposed ? rvm_tensor (linear->kernel, linear->n, linear->k) : rvm_tensor (linear->kernel, linear->k, linear->n);

  if (in_place && (flags & (RVM_EPILOGUE_GELU | RVM_EPILOGUE_GELU_SLOPE))) {
    rvm_queue_fail (queue, g_error_new_literal (RVM_ERROR, RVM_ERROR_ARGUMENT,
                               "CLBlast's GEMM cannot apply GELU before adding to a residual in place"));
    return;
  }
  if (in_place)
    flags &= ~RVM_EPILOGUE_RESIDUAL;
  if (sgemm (queue, a, FALSE, kernel, linear->transposed, out, linear->k, in_place) && flags)
    apply_epilogue (queue, linear, out, epilogue, flags);
}

static void
add_gradient (RvmQueue *queue, const RvmLinear *linear, RvmTensor x, RvmTensor d, RvmBuffer *kernel, RvmBuffer *bias, gboolean accumulate)
{
  sgemm (queue, x, TRUE, d, FALSE, rvm_tensor (kernel, linear->k, linear->n), x.rows, accumulate);
  if (bias)
    rvm_sum_rows (queue, &(RvmRowSum){ .x = d, .pictures = 1, .rows = d.rows, .out = bias, .accumulate = accumulate });
}

const RvmGemmFunctions rvm_gemm_clblast = {
  .name = "clblast",
  .slow_at_first = TRUE,
  .is_default = is_default,
  .prepare = prepare,
  .lay_out = lay_out,
  .store_row = rvm_gemm_store_row,
  .multiply = multiply,
  .add_gradient = add_gradient,
};
