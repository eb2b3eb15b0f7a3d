/* The way back through the layers of model/net/layers.h. Each takes what the layer was given (x) and what it wrote (act), turns @g, the
 * gradient with regard to its output, into the one with regard to its input, in place, and adds to the gradients of its weights. */
#pragma once

#include "gradients.h"
#include "model/net/activations.h"

G_BEGIN_DECLS

/* Working memory that every layer may use, big enough for the largest (rvm_backward_take()). */
typedef struct {
  RvmQueue *queue;
  RvmGradients *gradients;
  RvmBuffer *norm;      /* (rows, dim) */
  RvmBuffer *qkv;       /* (rows, 3 dim) */
  RvmBuffer *attended;  /* (rows, dim) */
  RvmBuffer *hidden;    /* (rows, mlp) */
  RvmBuffer *delta;     /* (rows, heads) */
  RvmBuffer *partial;   /* rvm_norm_backward_scratch() */
  /* (nullable) called when the gradients of an encoder block are complete once what has been enqueued has run */
  void (*block_done) (gpointer user_data, guint block);
  gpointer user_data;
} RvmBackward;

/* @configs: the stacks it will be used for, the most rows each has. queue and gradients are left for the caller. */
void rvm_backward_take (RvmBackward *backward, RvmArena *arena, const RvmTransformerConfig *const *configs, const guint64 *rows, guint n);

/* dx = or += the gradient with regard to x. */
void rvm_norm_backward (const RvmBackward *b, const RvmNorm *norm, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx,
    gboolean accumulate, guint rows);
/* A plain linear layer of contiguous rows. @dx may be NULL. */
void rvm_linear_backward (const RvmBackward *b, const RvmLinear *weights, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx,
    guint rows);
void rvm_mlp_backward (const RvmBackward *b, const RvmMlpLayer *layer, const RvmBuffer *x, const RvmMlpActivations *act, RvmBuffer *g,
    guint rows);
void rvm_self_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x,
    const RvmAttentionActivations *act, RvmBuffer *g, guint batch, guint tokens);
/* @dcontext has the layout of the context's buffer and takes this layer's columns. */
void rvm_cross_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmContext *context,
    RvmBuffer *dcontext, const RvmAttentionActivations *act, RvmBuffer *g, guint batch, guint tokens);

G_END_DECLS
