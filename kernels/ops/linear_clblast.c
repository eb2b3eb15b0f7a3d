/* The product through CLBlast: its SGEMM, then epilogue.cl for what SGEMM cannot do. */
#include "kernels/runtime/device_private.h"
#include "linear_private.h"

#include <clblast_c.h>

/* CLBlast 1.5.3 fills its table of parameters when it is first used, without a lock: two streams that started together both did, in the same
 * memory (found by AddressSanitizer). So every use is alone until one has succeeded. */
static GMutex alone_lock;
static gint filled;

gboolean
rvm_clblast_begin (void)
{
  if (g_atomic_int_get (&filled))
    return FALSE;
  g_mutex_lock (&alone_lock);
  return TRUE;
}

void
rvm_clblast_end (gboolean alone, gboolean succeeded)
{
  if (!alone)
    return;
  if (succeeded)
    g_atomic_int_set (&filled, TRUE);
  g_mutex_unlock (&alone_lock);
}

void
rvm_clblast_forget (void)
{
  CLBlastClearCache ();
}

static void
epilogue (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm, guint flags)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (weights->bias ? weights->bias : weights->kernel), RVM_ARG_BUFFER (gemm->residual ? gemm->residual : gemm->out),
    RVM_ARG_UINT (gemm->residual_rows ? gemm->residual_rows : gemm->m), RVM_ARG_BUFFER (gemm->inner ? gemm->inner : gemm->out),
    RVM_ARG_BUFFER (gemm->out), RVM_ARG_UINT (gemm->out_offset),
    RVM_ARG_UINT (gemm->out_stride), RVM_ARG_UINT (weights->n), RVM_ARG_UINT (flags),
  };
  char options[32];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u", weights->tiles.vector);
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "linear_epilogue", "epilogue", options), "epilogue", 2,
      (const gsize[]){ weights->padded_n / weights->tiles.vector, gemm->m }, NULL, G_N_ELEMENTS (args), args);
}

static gboolean
finish (RvmQueue *queue, CLBlastStatusCode status, cl_event event, guint m, guint n, guint k)
{
  if (status != CLBlastSuccess) {
    rvm_queue_fail (queue,
        g_error_new (RVM_ERROR, RVM_ERROR_LAUNCH, "CLBlast's SGEMM (%u x %u x %u) failed with status %d", m, n, k, (int) status));
    return FALSE;
  }
  rvm_queue_count (queue, "clblast", event);
  return TRUE;
}

void
rvm_gemm_clblast_gradient (RvmQueue *queue, const RvmGemmWeights *weights, RvmBuffer *gradient, const RvmBuffer *a, guint a_offset,
    guint a_stride, const RvmBuffer *d, guint d_offset, guint d_stride, guint m, gboolean accumulate)
{
  cl_command_queue cl = rvm_queue_get_cl (queue);
  cl_event event = NULL;
  CLBlastStatusCode status;
  gboolean alone;

  if (rvm_queue_has_failed (queue))
    return;
  alone = rvm_clblast_begin ();
  status = CLBlastSgemm (CLBlastLayoutRowMajor, CLBlastTransposeYes, CLBlastTransposeNo, weights->k, weights->n, m, 1.0f,
      rvm_buffer_get_mem (a), a_offset, a_stride, rvm_buffer_get_mem (d), d_offset, d_stride, accumulate ? 1.0f : 0.0f,
      rvm_buffer_get_mem (gradient), 0, weights->n, &cl, rvm_queue_is_profiling (queue) ? &event : NULL);
  rvm_clblast_end (alone, status == CLBlastSuccess);
  finish (queue, status, event, weights->k, weights->n, m);
}

void
rvm_gemm_clblast (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm)
{
  /* Adding to a residual that is the output itself is SGEMM's own beta, as long as no activation comes in between. */
  const gboolean in_place = gemm->residual == gemm->out;
  const guint flags = rvm_gemm_get_flags (weights, gemm) & ~(in_place ? RVM_EPILOGUE_RESIDUAL : 0);
  cl_command_queue cl = rvm_queue_get_cl (queue);
  cl_event event = NULL;
  CLBlastStatusCode status;
  gboolean alone;

  if (in_place && gemm->residual && (gemm->gelu || gemm->inner)) {
    rvm_queue_fail (queue, g_error_new_literal (RVM_ERROR, RVM_ERROR_ARGUMENT,
                               "CLBlast's GEMM cannot apply GELU before adding to a residual in place"));
    return;
  }
  alone = rvm_clblast_begin ();
  status = CLBlastSgemm (CLBlastLayoutRowMajor, CLBlastTransposeNo, weights->transposed ? CLBlastTransposeYes : CLBlastTransposeNo,
      gemm->m, weights->n, weights->k, 1.0f, rvm_buffer_get_mem (gemm->a), gemm->a_offset, gemm->a_stride,
      rvm_buffer_get_mem (weights->kernel), 0, weights->transposed ? weights->k : weights->n,
      in_place ? 1.0f : 0.0f, rvm_buffer_get_mem (gemm->out), gemm->out_offset, gemm->out_stride, &cl,
      rvm_queue_is_profiling (queue) ? &event : NULL);
  rvm_clblast_end (alone, status == CLBlastSuccess);
  if (finish (queue, status, event, gemm->m, weights->n, weights->k) && flags)
    epilogue (queue, weights, gemm, flags);
}
