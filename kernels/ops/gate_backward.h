/* Backward pass of the gates and of the update of the state (gate.h). The rule for gradients is stated in linear_backward.h.
 *
 * Gradients of gates are with respect to the arguments of the sigmoids. All matrices are contiguous. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* Backward pass of rvm_state_update(): from @dnext, the gradient with respect to the new state, to @dcandidate, @dstate, which may be @dnext, and the
 * update half of @dgates. */
typedef struct {
  RvmTensor gates;                 /* (rows, 2 dim), as rvm_gate_context() left them */
  RvmTensor state, candidate;      /* (rows, dim) */
  RvmTensor dnext;                 /* (rows, dim) */
  RvmTensor dcandidate, dstate;    /* (rows, dim) */
  RvmTensor dgates;                /* (rows, 2 dim) */
} RvmStateUpdateBackward;

void rvm_state_update_backward (RvmQueue *queue, const RvmStateUpdateBackward *update);

/* Backward pass of rvm_gate_context(): from @dcontext to the reset half of @dgates; adds to @dstate. */
typedef struct {
  RvmTensor gates;           /* (rows, 2 dim), as rvm_gate_context() left them */
  RvmTensor state, dcontext; /* (rows, dim) */
  const RvmBuffer *scale;    /* (dim) */
  RvmTensor dgates;          /* (rows, 2 dim) */
  RvmTensor dstate;          /* (rows, dim) */
  RvmBuffer *dscale;         /* (dim) */
  gboolean accumulate;       /* @dscale */
  RvmBuffer *scratch;        /* rvm_norm_backward_scratch() */
  float epsilon;
} RvmGateContextBackward;

void rvm_gate_context_backward (RvmQueue *queue, const RvmGateContextBackward *gate);

G_END_DECLS
