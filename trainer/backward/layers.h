/* Backward pass of the layers of model/net/layers.h.
 *
 * The rule for gradients, here and in network.h:
 *   - gradients of weights accumulate (+=) in RvmGradients, over layers, frames, samples and passes, until rvm_gradients_reset();
 *   - gradients of activations are overwritten (=), unless a function has the argument @accumulate and it is TRUE;
 *   - @g is the gradient of the loss with respect to the layer's output, and is replaced by that with respect to its input, in place;
 *   - all other buffers of RvmBackward are scratch: every function may overwrite them.
 * Each function is given the input of the layer's forward pass (@x) and the activations that it wrote (@act). */
#pragma once

#include "gradients.h"
#include "model/net/activations.h"

G_BEGIN_DECLS

/* Scratch memory that all layers share, sized for the largest (rvm_backward_take()). */
typedef struct {
  RvmQueue *queue;
  RvmGradients *gradients;
  RvmBuffer *norm;      /* (rows, dim) */
  RvmBuffer *qkv;       /* (rows, 3 dim) */
  RvmBuffer *attended;  /* (rows, dim) */
  RvmBuffer *hidden;    /* (rows, mlp) */
  RvmBuffer *delta;     /* (rows, heads) */
  RvmBuffer *partial;   /* rvm_norm_backward_scratch() */
  /* (nullable) Called when everything has been enqueued that adds to the gradients of encoder block @block. */
  void (*block_done) (gpointer user_data, guint block);
  gpointer user_data;
} RvmBackward;

/* Takes the scratch memory from @arena. @configs: the @n stacks that it is for; @rows: the most rows of each. The caller sets queue and
 * gradients. */
void rvm_backward_take (RvmBackward *backward, RvmArena *arena, const RvmTransformerConfig *const *configs, const guint64 *rows, guint n);

/* @dx = the gradient with respect to @x, or += if @accumulate. */
void rvm_norm_backward (const RvmBackward *b, const RvmNorm *norm, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx,
    gboolean accumulate, guint rows);
/* A linear layer of contiguous rows. @dx = the gradient with respect to @x; NULL: it is not needed. */
void rvm_linear_backward (const RvmBackward *b, const RvmLinear *weights, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx,
    guint rows);
void rvm_mlp_backward (const RvmBackward *b, const RvmMlpLayer *layer, const RvmBuffer *x, const RvmMlpActivations *act, RvmBuffer *g,
    guint rows);
void rvm_self_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x,
    const RvmAttentionActivations *act, RvmBuffer *g, guint batch, guint tokens);
/* @dcontext has the layout of the context's buffer; this layer's columns of it are overwritten. */
void rvm_cross_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmContext *context,
    RvmBuffer *dcontext, const RvmAttentionActivations *act, RvmBuffer *g, guint batch, guint tokens);

G_END_DECLS
