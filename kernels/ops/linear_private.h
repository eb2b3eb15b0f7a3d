/* What gemm.c and gemm_clblast.c share. */
#pragma once

#include "linear.h"
#include "kernels/runtime/cl.h"
#include "tiles.h"

struct _RvmGemmWeights {
  RvmGemmProvider provider;
  RvmPrecision precision;
  RvmTiles tiles;
  guint k, n;
  guint panel;       /* columns of a panel; clblast: of the vectors of the epilogue */
  guint padded_n;    /* n rounded up to whole panels: length of the bias and, in native weights, columns stored */
  gboolean transposed; /* clblast: the kernel belongs to other weights and is stored as (n, k) */
  RvmBuffer *kernel; /* native: (padded_n / panel, k, panel); clblast: (k, n) */
  RvmBuffer *bias;   /* (padded_n) or NULL */
  gpointer kernel_map;
  float *bias_map;
};

/* Flags of rvm_epilogue() in common.cl. */
enum { RVM_EPILOGUE_BIAS = 1, RVM_EPILOGUE_GELU = 2, RVM_EPILOGUE_RESIDUAL = 4, RVM_EPILOGUE_INNER = 8, RVM_EPILOGUE_GELU_SLOPE = 16 };

guint rvm_gemm_get_flags (const RvmGemmWeights *weights, const RvmGemm *gemm);

/* Weights of W^T for those of W: their own memory (native), or a view (clblast). */
RvmGemmWeights *rvm_gemm_weights_new_transposed (RvmDevice *device, const RvmGemmWeights *weights, GError **error);

/* Gives CLBlast the parameters of the file that RVM_CLBLAST_PARAMETERS names, if it does. RVM_ERROR_FILE, RVM_ERROR_ARGUMENT. */
gboolean rvm_clblast_set_parameters (RvmDevice *device, GError **error);

/* Around every use of CLBlast but rvm_clblast_forget(): what begin returns goes to end, with whether CLBlast did what it was asked. */
gboolean rvm_clblast_begin (void);
void rvm_clblast_end (gboolean alone, gboolean succeeded);

/* Gives back the programs that CLBlast keeps, with their contexts: of all devices, it knows no other way. For device.c, which knows when. */
void rvm_clblast_forget (void);

/* gradient (k, n) = or += A^T D, in row-major order. */
void rvm_gemm_clblast_gradient (RvmQueue *queue, const RvmGemmWeights *weights, RvmBuffer *gradient, const RvmBuffer *a, guint a_offset,
    guint a_stride, const RvmBuffer *d, guint d_offset, guint d_stride, guint m, gboolean accumulate);
void rvm_gemm_clblast (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm);
