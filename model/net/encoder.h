/* The encoder (docs/model.md, section 2): pre-norm blocks of self-attention and MLP, then a norm. Private to model/ and trainer/. */
#pragma once

#include "model/config.h"
#include "layers.h"

G_BEGIN_DECLS

typedef struct {
  RvmAttentionLayer attention;
  RvmMlpLayer mlp;
} RvmEncoderBlock;

typedef struct {
  guint n_blocks;
  RvmEncoderBlock *blocks;
  RvmNorm norm;
} RvmEncoder;

typedef struct {
  RvmAttentionActivations attention;
  RvmMlpActivations mlp;
} RvmEncoderBlockActivations;

typedef struct {
  RvmEncoderBlockActivations *blocks; /* one per block */
  RvmBuffer *out;                     /* (rows, dim) */
} RvmEncoderActivations;

void rvm_encoder_load (RvmEncoder *encoder, RvmLoader *loader, const RvmTransformerConfig *config);
void rvm_encoder_clear (RvmEncoder *encoder);

/* @tokens (batch * rows, dim), which may be what the blocks write, -> @act->out. */
void rvm_encoder_forward (RvmQueue *queue, const RvmEncoder *encoder, const RvmBuffer *tokens, const RvmEncoderActivations *act,
    guint batch, guint rows);

guint64 rvm_encoder_flops (const RvmEncoder *encoder, guint64 tokens);

G_END_DECLS
