/* Launchers of the forward kernels other than GEMM. All tensors float32, row-major, contiguous unless a stride is given.
 * Nothing is returned: see the sticky error in queue.h. */
#pragma once

#include <glib.h>

#include "queue.h"

G_BEGIN_DECLS

/* Pixels to the rows of a matrix (model.md 1.1-1.2): @pixels uint8 (batch, rows*patch, columns*patch, 3), out
 * (batch, 1 + rows*columns, patch*patch*3) = pixels / 255 in (row, column, channel) order. Row 0 of each picture is zero:
 * it becomes the class token when the token table is added. */
void rvm_patches (RvmQueue *queue, const RvmBuffer *pixels, RvmBuffer *out, guint batch, guint rows, guint columns, guint patch);

/* out = (x - mean) / sqrt (variance + epsilon) * scale + bias over the last axis of (rows, dim); @bias may be NULL; @out may be @x. */
void rvm_layernorm (RvmQueue *queue, const RvmBuffer *x, const RvmBuffer *scale, const RvmBuffer *bias, RvmBuffer *out, guint rows,
    guint dim, float epsilon);

/* softmax (q k^T / sqrt (head_dim)) v for every head of every picture, without storing the scores.
 * Head h of row i of picture b lies at offset + (b * rows + i) * stride + h * head_dim. */
typedef struct {
  const RvmBuffer *query, *key, *value;
  guint query_offset, query_stride;
  guint key_offset, key_stride;
  guint value_offset, value_stride;
  RvmBuffer *out; /* (batch, queries, heads * head_dim) */
  guint batch, heads, head_dim;
  guint queries, keys; /* rows of a picture */
} RvmAttention;

void rvm_attention (RvmQueue *queue, const RvmAttention *attention);

/* The gates of the core (model.md 3). @gates (rows, 2 dim): pre-activations [update | reset] on entry, their sigmoids on
 * return. @context = reset * LN (state) with scale and no bias. @update_mean (rows): mean of the update gate of each row. */
void rvm_gate_context (RvmQueue *queue, RvmBuffer *gates, const RvmBuffer *state, const RvmBuffer *scale, RvmBuffer *context,
    RvmBuffer *update_mean, guint rows, guint dim, float epsilon);

/* out = (1 - update) * state + update * candidate; @out may be @state. @gates as left by rvm_gate_context(). */
void rvm_state_update (RvmQueue *queue, const RvmBuffer *gates, const RvmBuffer *state, const RvmBuffer *candidate, RvmBuffer *out,
    guint rows, guint dim);

G_END_DECLS
