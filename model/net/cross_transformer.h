/* A stack of cross-attention blocks (docs/model.md, section 3): in each, cross-attention to a context, MLP, self-attention; then a norm.
 * The candidate of the recurrent core and the decoder are both such stacks. Private to model/ and trainer/.
 *
 * The context is the same for every block, so one matrix product computes the keys and values of all blocks. */
#pragma once

#include "model/config.h"
#include "layers.h"

G_BEGIN_DECLS

typedef struct {
  RvmAttentionLayer cross;
  RvmMlpLayer mlp;
  RvmAttentionLayer self;
} RvmCrossBlock;

typedef struct {
  guint dim, n_blocks;
  RvmLinear *context; /* (dim, n_blocks * 2 dim): keys | values of block 0, of block 1, ... */
  RvmCrossBlock *blocks;
  RvmNorm norm;
} RvmCrossTransformer;

typedef struct {
  RvmAttentionActivations cross;
  RvmMlpActivations mlp;
  RvmAttentionActivations self;
} RvmCrossBlockActivations;

typedef struct {
  RvmBuffer *keys_values; /* (contexts * context_rows, n_blocks * 2 dim): keys and values of the context */
  RvmCrossBlockActivations *blocks;
  RvmBuffer *out;         /* (contexts * pictures * rows, dim) */
} RvmCrossTransformerActivations;

/* Self-attention is within each picture of @rows tokens. Cross-attention is from all tokens of the @pictures that share a context to its
 * @context_rows. */
typedef struct {
  guint contexts, pictures, rows, context_rows;
} RvmCrossShape;

/* @part: RVM_PART_CORE or RVM_PART_DECODER. */
void rvm_cross_transformer_load (RvmCrossTransformer *transformer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part);
void rvm_cross_transformer_clear (RvmCrossTransformer *transformer);

/* @x (contexts * pictures * rows, dim), @context (contexts * context_rows, dim) -> @act->out. @x is not written unless it is an output too. */
void rvm_cross_transformer_forward (RvmQueue *queue, const RvmCrossTransformer *transformer, const RvmBuffer *x,
    const RvmBuffer *context, const RvmCrossTransformerActivations *act, const RvmCrossShape *shape);

/* The keys and values of block @block. @rows: of a context. */
RvmContext rvm_cross_transformer_get_context (const RvmCrossTransformer *transformer, guint block, const RvmBuffer *keys_values, guint rows);

guint64 rvm_cross_transformer_flops (const RvmCrossTransformer *transformer, const RvmCrossShape *shape);

G_END_DECLS
