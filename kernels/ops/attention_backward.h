/* Backward pass of attention (attention.h). The rule for gradients is stated in linear_backward.h. */
#pragma once

#include "attention.h"

G_BEGIN_DECLS

typedef struct {
  RvmTensor dout;                /* (batch * queries, dim), contiguous */
  RvmTensor dquery, dkey, dvalue; /* with the shapes, offsets and strides of query, key and value: rvm_tensor_on() */
  RvmTensor delta;               /* scratch: (batch * heads, queries), contiguous */
} RvmAttentionBackward;

/* @forward: as rvm_attention() was called, with its out and log_sum_exp. */
void rvm_attention_backward (RvmQueue *queue, const RvmAttention *forward, const RvmAttentionBackward *backward);

G_END_DECLS
