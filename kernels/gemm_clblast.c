/* The product through CLBlast: its SGEMM, then epilogue.cl for what SGEMM cannot do. */
#include "gemm_private.h"

#include <clblast_c.h>

static void
epilogue (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm, guint flags)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (weights->bias ? weights->bias : weights->kernel), RVM_ARG_BUFFER (gemm->residual ? gemm->residual : gemm->out),
    RVM_ARG_UINT (gemm->residual_rows ? gemm->residual_rows : gemm->m), RVM_ARG_BUFFER (gemm->out), RVM_ARG_UINT (gemm->out_offset),
    RVM_ARG_UINT (gemm->out_stride), RVM_ARG_UINT (weights->n), RVM_ARG_UINT (flags),
  };
  char options[32];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u", weights->tiles.vector);
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "epilogue", "epilogue", options), "epilogue", 2,
      (const gsize[]){ weights->padded_n / weights->tiles.vector, gemm->m }, NULL, G_N_ELEMENTS (args), args);
}

void
rvm_gemm_clblast (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm)
{
  /* Adding to a residual that is the output itself is SGEMM's own beta, as long as no activation comes in between. */
  const gboolean in_place = gemm->residual == gemm->out;
  const guint flags = (weights->bias ? RVM_EPILOGUE_BIAS : 0) | (gemm->gelu ? RVM_EPILOGUE_GELU : 0)
      | (gemm->residual && !in_place ? RVM_EPILOGUE_RESIDUAL : 0);
  cl_command_queue cl = rvm_queue_get_cl (queue);
  cl_event event = NULL;
  CLBlastStatusCode status;

  if (in_place && gemm->gelu) {
    rvm_queue_fail (queue, g_error_new_literal (RVM_ERROR, RVM_ERROR_ARGUMENT,
                               "CLBlast's GEMM cannot apply GELU before adding to a residual in place"));
    return;
  }
  status = CLBlastSgemm (CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, gemm->m, weights->n, weights->k, 1.0f,
      rvm_buffer_get_mem (gemm->a), gemm->a_offset, gemm->a_stride, rvm_buffer_get_mem (weights->kernel), 0, weights->n,
      in_place ? 1.0f : 0.0f, rvm_buffer_get_mem (gemm->out), gemm->out_offset, gemm->out_stride, &cl,
      rvm_queue_is_profiling (queue) ? &event : NULL);
  if (status != CLBlastSuccess) {
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_LAUNCH, "CLBlast's SGEMM (%u x %u x %u) failed with status %d", gemm->m,
                               weights->n, weights->k, (int) status));
    return;
  }
  rvm_queue_count (queue, "clblast", event);
  if (flags)
    epilogue (queue, weights, gemm, flags);
}
