/* The pre-norm layers of which encoder, core and decoder consist, each `out = x + f (LN (x))`, and their activations. Private to model/ and trainer/.
 *
 * Activations are named buffers. In inference many of them are the same memory, in training each has its own. Rows are batch * tokens; widths are in
 * elements. What only products read (norm, qkv, attended, hidden) has the type that they want, rvm_linear_get_activations(), which is bfloat16 on matrix
 * units; all else is float32, and buffers have room for that. */
#pragma once

#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "model/config.h"
#include "model/loader.h"

G_BEGIN_DECLS

#define RVM_NORM_EPSILON 1e-6f

typedef struct {
  RvmBuffer *scale; /* (dim) */
  RvmBuffer *bias;  /* (dim) */
  guint dim;
} RvmNorm;

typedef struct {
  RvmNorm norm;
  RvmLinear *project; /* self: (dim, 3 dim) q | k | v; cross: (dim, dim) q */
  RvmLinear *out;     /* (dim, dim) */
  guint dim, heads;
} RvmAttentionLayer;

typedef struct {
  RvmNorm norm;
  RvmLinear *in;  /* (dim, hidden) */
  RvmLinear *out; /* (hidden, dim) */
  guint dim, hidden;
} RvmMlpLayer;

/* The activations of a layer; borrowed. */
typedef struct {
  RvmBuffer *norm;        /* (rows, dim) */
  RvmBuffer *qkv;         /* (rows, 3 dim) or, cross, (rows, dim) */
  RvmBuffer *attended;    /* (rows, dim): heads joined, before the out projection */
  RvmBuffer *log_sum_exp; /* (batch, heads, tokens): log_sum_exp of RvmAttention */
  RvmBuffer *out;         /* (rows, dim); may be the layer's input */
} RvmAttentionActivations;

typedef struct {
  RvmBuffer *norm;     /* (rows, dim) */
  RvmBuffer *pre_gelu; /* (rows, hidden), before GELU; may be NULL */
  RvmBuffer *hidden;   /* (rows, hidden), after GELU */
  RvmBuffer *out;      /* (rows, dim); may be the layer's input */
} RvmMlpActivations;

/* Keys and values of a cross-attention layer: rows of @stride elements, keys at @offset, values @dim later. */
typedef struct {
  const RvmBuffer *buffer;
  RvmElement type;
  guint offset, stride;
  guint rows; /* of a picture */
} RvmContext;

/* Load the layers of block @block of @part, whose sizes are @config. The loader keeps the first error; a layer can be cleared after it. */
void rvm_norm_load (RvmNorm *norm, RvmLoader *loader, guint dim, RvmSite site);
void rvm_self_attention_load (RvmAttentionLayer *layer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part, guint block);
void rvm_cross_attention_load (RvmAttentionLayer *layer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part, guint block);
void rvm_mlp_load (RvmMlpLayer *layer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part, guint block);
void rvm_norm_clear (RvmNorm *norm);
void rvm_attention_layer_clear (RvmAttentionLayer *layer);
void rvm_mlp_layer_clear (RvmMlpLayer *layer);

void rvm_norm_forward (RvmQueue *queue, const RvmNorm *norm, const RvmBuffer *x, RvmBuffer *out, guint rows);
void rvm_self_attention_forward (RvmQueue *queue, const RvmAttentionLayer *layer, const RvmBuffer *x,
    const RvmAttentionActivations *act, guint batch, guint tokens);
void rvm_cross_attention_forward (RvmQueue *queue, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmContext *context,
    const RvmAttentionActivations *act, guint batch, guint tokens);
void rvm_mlp_forward (RvmQueue *queue, const RvmMlpLayer *layer, const RvmBuffer *x, const RvmMlpActivations *act, guint rows);

/* The arguments of rvm_attention(), for forward and backward pass. */
RvmAttention rvm_self_attention_describe (const RvmAttentionLayer *layer, const RvmAttentionActivations *act, guint batch, guint tokens);
RvmAttention rvm_cross_attention_describe (const RvmAttentionLayer *layer, const RvmContext *context, const RvmAttentionActivations *act,
    guint batch, guint tokens);

/* Floating-point operations of one layer on @tokens rows of one picture, with @keys rows of context. */
guint64 rvm_attention_layer_flops (const RvmAttentionLayer *layer, gboolean self, guint64 tokens, guint64 keys);
guint64 rvm_mlp_flops (const RvmMlpLayer *layer, guint64 tokens);

G_END_DECLS
