/* Joins launches of row-wise layers that follow each other into one. Private to kernels/ops.
 *
 * Linear layers and layer norms compute each row by itself. So a run of them over the same rows needs no wait between its steps: a part of the rows
 * goes through all of them on one core, and stays in that core's caches (the kernel `chain` of cl/linear.cl).
 *
 * A step is held back in the queue until something is done with the queue that cannot be joined to it: another launch, a transfer, or a wait. Products of
 * the native provider on CPUs are joined, and those of matrix units (the kernel `matrix_chain` of cl/matrix_chain.cl), but not with each other. A queue
 * that profiles joins nothing, so that every kernel is measured. */
#pragma once

#include "tiles.h"
#include "kernels/tensor.h"

G_BEGIN_DECLS

/* A linear layer, a (m, k) -> out (m, n), or a layer norm, with n = k. */
typedef struct {
  gboolean is_norm;
  gboolean on_units;        /* a linear layer whose weights are those of matrix units */
  gboolean round;           /* another linear layer, whose input is rounded to bfloat16 */
  RvmTensor a, out;
  const RvmBuffer *weights; /* as their provider stores them; of a norm, scale (n) */
  RvmElement type;          /* of the weights */
  const RvmBuffer *bias;    /* NULL if there is none */
  RvmTensor pre_gelu, residual; /* see RvmEpilogue */
  guint flags;              /* RVM_EPILOGUE_... (cl/flags.h) */
  float epsilon;            /* of a norm */
} RvmChainStep;

/* Launches the step, now or joined with others later. @tiles: of the weights. */
void rvm_chain_run (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step);

G_END_DECLS
