/* What gemm.c and gemm_clblast.c share. */
#pragma once

#include "gemm.h"
#include "launch.h"
#include "tiles.h"

struct _RvmGemmWeights {
  RvmGemmProvider provider;
  RvmPrecision precision;
  RvmTiles tiles;
  guint k, n;
  guint panel;       /* columns of a panel; clblast: of the vectors of the epilogue */
  guint padded_n;    /* n rounded up to whole panels: length of the bias and, in native weights, columns stored */
  RvmBuffer *kernel; /* native: (padded_n / panel, k, panel); clblast: (k, n) */
  RvmBuffer *bias;   /* (padded_n) or NULL */
  gpointer kernel_map;
  float *bias_map;
};

/* Flags of gemm.cl and epilogue.cl. */
enum { RVM_EPILOGUE_BIAS = 1, RVM_EPILOGUE_GELU = 2, RVM_EPILOGUE_RESIDUAL = 4 };

void rvm_gemm_clblast (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm);
