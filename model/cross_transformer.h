/* A stack of cross-attention blocks (model.md 3, T): in each, cross-attention to a context, MLP, self-attention; then a norm.
 * The recurrent core's candidate and the decoder are both one. Private to model/.
 *
 * The context is the same for every block, so the keys and values of all blocks are one product. */
#pragma once

#include "config.h"
#include "layers.h"

G_BEGIN_DECLS

typedef struct {
  RvmAttentionLayer cross;
  RvmMlpLayer mlp;
  RvmAttentionLayer self;
} RvmCrossBlock;

typedef struct {
  guint dim, n_blocks;
  RvmGemmWeights *context; /* (dim, n_blocks * 2 dim): keys | values of block 0, of block 1, ... */
  RvmCrossBlock *blocks;
  RvmNorm norm;
} RvmCrossTransformer;

typedef struct {
  RvmAttentionActivations cross;
  RvmMlpActivations mlp;
  RvmAttentionActivations self;
} RvmCrossBlockActivations;

/* @key: "rnn_core/transformer" or "decoder". */
void rvm_cross_transformer_load (RvmCrossTransformer *transformer, RvmLoader *loader, const RvmTransformerConfig *config, const char *key);
void rvm_cross_transformer_clear (RvmCrossTransformer *transformer);

/* @x (batch * rows, dim), @context (batch * context_rows, dim) -> @projected (batch * context_rows, n_blocks * 2 dim) -> @blocks -> @out
 * (batch * rows, dim). @x is not written unless it is an output too. */
void rvm_cross_transformer_forward (RvmQueue *queue, const RvmCrossTransformer *transformer, const RvmBuffer *x,
    const RvmBuffer *context, RvmBuffer *projected, const RvmCrossBlockActivations *blocks, RvmBuffer *out, guint batch, guint rows,
    guint context_rows);

guint64 rvm_cross_transformer_flops (const RvmCrossTransformer *transformer, guint64 tokens, guint64 context_tokens);

G_END_DECLS
