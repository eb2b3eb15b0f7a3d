/* Launchers of the forward kernels other than GEMM. All tensors float32 (indices uint32), row-major, contiguous unless a stride is given.
 * Nothing is returned: see the sticky error in queue.h. */
#pragma once

#include <glib.h>

#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

/* Pixels to the rows of a matrix (model.md 1.1-1.2): @pixels uint8 (batch, rows*patch, columns*patch, 3), out
 * (batch, 1 + rows*columns, patch*patch*3) = pixels / 255 in (row, column, channel) order. Row 0 of each picture is zero:
 * it becomes the class token when the token table is added. */
void rvm_patches (RvmQueue *queue, const RvmBuffer *pixels, RvmBuffer *out, guint batch, guint rows, guint columns, guint patch);

/* The same rows for some tokens only: @visible (batch, kept), 0 for the class token, 1 + p for patch p; out (batch, kept, ...). */
void rvm_visible_patches (RvmQueue *queue, const RvmBuffer *pixels, const RvmBuffer *visible, RvmBuffer *out, guint batch, guint kept,
    guint rows, guint columns, guint patch);

/* What is added to the product of patches and kernel, (1 + patches, dim): row 0 = @class_token, row 1 + p = @position row p + @bias. */
void rvm_token_table (RvmQueue *queue, const RvmBuffer *class_token, const RvmBuffer *bias, const RvmBuffer *position, RvmBuffer *out,
    guint patches, guint dim);

/* out[i] = x[index[i]] for @rows rows of @dim floats. Every index is a row of @x: the caller's duty. */
void rvm_gather_rows (RvmQueue *queue, const RvmBuffer *x, const RvmBuffer *index, RvmBuffer *out, guint rows, guint dim);

/* One frame of each sample out of @frames (samples, n, rows, dim), to or from @one (samples, rows, dim). @added, of the shape of @one, or
 * NULL, is added on the way out and may be @one. */
typedef struct {
  guint samples, n, frame, rows, dim;
} RvmFrameOf;

void rvm_put_frame (RvmQueue *queue, const RvmBuffer *one, RvmBuffer *frames, const RvmFrameOf *which);
void rvm_get_frame (RvmQueue *queue, const RvmBuffer *frames, const RvmBuffer *added, RvmBuffer *one, const RvmFrameOf *which);

#define RVM_SLOT_HIDDEN G_MAXUINT32

/* The decoder's input (model.md 4), (pictures, tokens, dim). A token is its embedding, or @mask_token if it is masked; patches also get
 * their position and the embedding of their picture's gap. */
typedef struct {
  const RvmBuffer *embedded;   /* (pictures, kept, dim) */
  const RvmBuffer *slot;       /* (pictures, tokens): place among the kept ones or RVM_SLOT_HIDDEN */
  const RvmBuffer *mask_token; /* (dim) */
  const RvmBuffer *position;   /* (tokens - 1, dim) */
  const RvmBuffer *gap_kernel; /* (gaps, dim) */
  const RvmBuffer *gap_bias;   /* (dim) */
  const RvmBuffer *gap;        /* (pictures), each less than gaps */
  RvmBuffer *out;
  guint pictures, kept, tokens, dim;
} RvmDecoderTokens;

void rvm_decoder_tokens (RvmQueue *queue, const RvmDecoderTokens *tokens);

/* x (pictures, tokens, dim) += position (tokens - 1, dim) for all but the first token of each picture. */
void rvm_add_position (RvmQueue *queue, RvmBuffer *x, const RvmBuffer *position, guint pictures, guint tokens, guint dim);

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
  RvmBuffer *out;        /* (batch, queries, heads * head_dim) */
  RvmBuffer *normaliser; /* (batch, heads, queries): log2 of the softmax's denominator, for the way back */
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
