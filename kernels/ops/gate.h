/* The gates of the recurrent core, and the update of its state:
 *
 *   u, r    = sigmoid (gates)            update and reset gate
 *   context = r LN (state)               a layer norm with scale and without bias
 *   out     = (1 - u) state + u candidate
 *
 *                 dim     dim
 *              +-------+-------+
 *   gates rows |   u   |   r   |         the other matrices are (rows, dim)
 *              +-------+-------+
 *
 * All matrices are contiguous. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* Replaces @gates by their sigmoids, and computes @context. @scale: (dim). @update_mean: (rows, 1), the mean of u in each row. */
void rvm_gate_context (RvmQueue *queue, RvmTensor gates, RvmTensor state, const RvmBuffer *scale, RvmTensor context, RvmTensor update_mean,
    float epsilon);

/* @gates: as rvm_gate_context() left them. @out may be @state. */
void rvm_state_update (RvmQueue *queue, RvmTensor gates, RvmTensor state, RvmTensor candidate, RvmTensor out);

G_END_DECLS
