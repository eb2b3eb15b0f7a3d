/* Row-wise launches that follow each other, joined into one. Private to kernels/.
 *
 * Linear layers and layer norms treat every row by itself, so a run of them over the same rows needs no wait between its steps:
 * each part of the rows goes through all of them on one core, out of whose caches it need not move. What is joined is held back in the
 * queue until a launch, transfer or wait that is not part of it. Only native products on CPUs take part; a queue that measures
 * every kernel joins nothing. */
#pragma once

#include "kernels/runtime/cl.h"
#include "tiles.h"

G_BEGIN_DECLS

typedef struct _RvmChain RvmChain;

RvmChain *rvm_chain_new (void);
void rvm_chain_free (RvmChain *chain);

/* One step: out (m, n) from a (m, k), as for the kernel `gemm`, or as for `layernorm` with scale in @w, n == k. Strides and offsets in
 * floats. Buffers that @flags exclude are NULL. */
typedef struct {
  gboolean is_norm;
  const RvmBuffer *a, *w, *bias, *residual;
  RvmBuffer *inner, *out;
  guint a_offset, a_stride, out_offset, out_stride, residual_rows;
  guint m, n, k, flags;
  float epsilon;
  gboolean half; /* w holds halves */
} RvmChainStep;

/* Takes the step if it can be part of a chain; what was held back and does not go with it is launched first. FALSE: the caller launches. */
gboolean rvm_chain_add (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step);
/* Launches what is held back. */
void rvm_chain_flush (RvmQueue *queue);

/* A single step, launched the plain way (gemm.c, ops.c). */
void rvm_gemm_launch_step (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step);
void rvm_layernorm_launch_step (RvmQueue *queue, const RvmChainStep *step);

G_END_DECLS
