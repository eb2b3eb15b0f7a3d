/* Launchers of the way back through the kernels of ops.h, and of the loss. Tensors as there; d... is the gradient with regard to what is
 * named, always of the same shape. `accumulate` adds to an output instead of replacing it. Every sum has a fixed order: the same inputs
 * on the same device give the same bytes. */
#pragma once

#include "tokens.h"

G_BEGIN_DECLS

/* Floats of scratch that rvm_layernorm_backward() and rvm_gate_context_backward() need. */
gsize rvm_norm_backward_scratch (guint rows, guint dim);

/* y = LN (x) scale + bias, see rvm_layernorm(). Mean and deviation are computed again from @x. */
typedef struct {
  const RvmBuffer *x, *dy, *scale;
  RvmBuffer *dx;             /* (rows, dim), not @dy */
  gboolean accumulate_dx;
  RvmBuffer *dscale, *dbias; /* (dim); @dbias may be NULL */
  gboolean accumulate;       /* the two */
  RvmBuffer *scratch;
  guint rows, dim;
  float epsilon;
} RvmLayerNormBackward;

void rvm_layernorm_backward (RvmQueue *queue, const RvmLayerNormBackward *norm);

/* out[j] = sum over pictures b < @pictures and rows r < @rows of x[offset + (b * picture_rows + r) * stride + j]. */
typedef struct {
  const RvmBuffer *x;
  guint offset, stride;
  guint pictures, picture_rows, rows;
  RvmBuffer *out; /* (dim) */
  guint dim;
  gboolean accumulate;
} RvmRowSum;

void rvm_sum_rows (RvmQueue *queue, const RvmRowSum *sum);

/* The way back through rvm_attention(), @forward as it was called, its out and normaliser included. dquery, dkey and dvalue have the
 * offsets and strides of query, key and value. */
typedef struct {
  const RvmBuffer *dout;               /* (batch, queries, heads * head_dim) */
  RvmBuffer *dquery, *dkey, *dvalue;
  RvmBuffer *delta;                    /* scratch (batch, heads, queries) */
} RvmAttentionBackward;

void rvm_attention_backward (RvmQueue *queue, const RvmAttention *forward, const RvmAttentionBackward *backward);

/* The way back through rvm_state_update(): @dcandidate (rows, dim), @dstate (rows, dim), which may be @dnext, and the update half of
 * @dgates (rows, 2 dim), with regard to what went into the sigmoid. */
void rvm_state_update_backward (RvmQueue *queue, const RvmBuffer *gates, const RvmBuffer *state, const RvmBuffer *candidate,
    const RvmBuffer *dnext, RvmBuffer *dcandidate, RvmBuffer *dstate, RvmBuffer *dgates, guint rows, guint dim);

/* The way back through rvm_gate_context(): the reset half of @dgates; adds to @dstate; @dscale (dim). */
typedef struct {
  const RvmBuffer *gates, *state, *scale, *dcontext;
  RvmBuffer *dgates, *dstate, *dscale;
  gboolean accumulate; /* dscale */
  RvmBuffer *scratch;
  guint rows, dim;
  float epsilon;
} RvmGateContextBackward;

void rvm_gate_context_backward (RvmQueue *queue, const RvmGateContextBackward *gate);

/* Per picture, the sums of @d (pictures, tokens, dim) over its patches and over its masked patches: @out (2, pictures, dim). */
void rvm_decoder_token_sums (RvmQueue *queue, const RvmBuffer *d, const RvmBuffer *slot, RvmBuffer *out, guint pictures, guint tokens,
    guint dim);
/* out[g] = or += sum of x (pictures, dim) over the pictures whose gap is g; @out (gaps, dim). */
void rvm_sum_by_gap (RvmQueue *queue, const RvmBuffer *x, const RvmBuffer *gap, RvmBuffer *out, guint pictures, guint gaps, guint dim,
    gboolean accumulate);

/* Squared error of reconstructed patches against uint8 pixels / 255 (model.md 4). */
typedef struct {
  const RvmBuffer *predicted; /* (pictures, tokens, patch * patch * 3) */
  const RvmBuffer *pixels;    /* uint8 (pictures, rows * patch, columns * patch, 3) */
  const RvmBuffer *slot;      /* (pictures, tokens), as in RvmDecoderTokens */
  gboolean all;               /* every patch counts, not only the masked ones */
  float scale;                /* 2 / number of values that count */
  RvmBuffer *dpredicted;      /* scale * (predicted - truth) where it counts, else 0 */
  RvmBuffer *row_loss;        /* (pictures, tokens): sum of squares over the row, whether it counts or not; 0 for class tokens */
  guint pictures, rows, columns, patch;
} RvmReconstructionLoss;

void rvm_reconstruction_loss (RvmQueue *queue, const RvmReconstructionLoss *loss);

G_END_DECLS
