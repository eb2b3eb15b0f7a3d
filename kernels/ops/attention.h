/* Attention:  out = softmax (q k^T / sqrt (head_dim)) v,  for every head of every picture, without storing the scores. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/*              head 0  head 1                A head is head_dim = dim / heads columns. Row i of picture b is row
 *            +-------+-------+----+          b * queries + i, or b * keys + i. query, key and value may be columns
 *   rows     |       |       |    |          of one matrix, with any offset and stride.
 *            +-------+-------+----+
 *                     dim                    queries and keys are the rows of a picture.
 *
 * All are float32. Where matrix units are used (rvm_linear_get_activations()), the first four may be bfloat16 instead. */
typedef struct {
  RvmTensor query;       /* (batch * queries, dim) */
  RvmTensor key, value;  /* (batch * keys, dim) */
  RvmTensor out;         /* (batch * queries, dim), contiguous */
  RvmTensor log_sum_exp; /* (batch * heads, queries), contiguous: log2 of the softmax's denominator, for the backward pass */
  guint batch, heads;
} RvmAttention;

void rvm_attention (RvmQueue *queue, const RvmAttention *attention);

/* Whether the tensors fit together; otherwise a sticky error, see rvm_tensors_check(). */
gboolean rvm_attention_check (RvmQueue *queue, const RvmAttention *attention);

guint rvm_attention_get_queries (const RvmAttention *attention);  /* of a picture */
guint rvm_attention_get_keys (const RvmAttention *attention);     /* of a picture */
guint rvm_attention_get_head_dim (const RvmAttention *attention);

G_END_DECLS
