/* The way back through encoder, core, decoder and tokens: the files of model/ in reverse. */
#pragma once

#include "layers.h"

G_BEGIN_DECLS

/* @x, @context: what the stack was given. @dout -> @dx (rows, dim) and @dcontext (context rows, dim); @dkeys_values, of the shape of
 * act->keys_values, is scratch. */
void rvm_cross_transformer_backward (const RvmBackward *b, const RvmCrossTransformer *transformer, const RvmBuffer *x,
    const RvmBuffer *context, const RvmCrossTransformerActivations *act, const RvmCrossShape *shape, const RvmBuffer *dout, RvmBuffer *dx,
    RvmBuffer *dcontext, RvmBuffer *dkeys_values);

/* @dout -> @dtokens. */
void rvm_encoder_backward (const RvmBackward *b, const RvmEncoder *encoder, const RvmBuffer *tokens, const RvmEncoderActivations *act,
    const RvmBuffer *dout, RvmBuffer *dtokens, guint batch, guint rows);

/* Tokens of (batch, kept): @patches as the forward pass left them. */
void rvm_tokenizer_backward (const RvmBackward *b, const RvmTokenizer *tokenizer, const RvmBuffer *patches, const RvmBuffer *dtokens,
    guint batch, guint kept);

/* Scratch of the core's way back. */
typedef struct {
  RvmBuffer *dcandidate, *dcontext; /* (rows, dim) */
  RvmBuffer *dgates;                /* (rows, 2 dim) */
  RvmBuffer *dkeys_values;          /* (rows, layers * 2 dim) */
} RvmCoreBackward;

/* One frame back in time. @encoded and @state: what the core was given. @dnext, with regard to the new state -> @dstate, which may be
 * @dnext, and @dencoded. */
void rvm_core_backward (const RvmBackward *b, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, const RvmCoreBackward *scratch, const RvmBuffer *dnext, RvmBuffer *dstate, RvmBuffer *dencoded,
    guint batch, guint tokens);

/* Scratch of the decoder's way back. */
typedef struct {
  RvmBuffer *dout, *dtokens; /* (samples * targets * tokens, dim) */
  RvmBuffer *dcontext;       /* (samples * sources * tokens, dim) */
  RvmBuffer *dembedded;      /* (samples * targets * kept, dim) */
  RvmBuffer *dkeys_values;   /* (samples * sources * tokens, layers * 2 dim) */
  RvmBuffer *sums;           /* (2, samples * targets, dim) */
} RvmDecoderBackward;

/* @visible_rows uint32 (samples, targets, kept): rows of the visible tokens among all (samples * targets * tokens). */
void rvm_decoder_backward (const RvmBackward *b, const RvmDecoder *decoder, const RvmDecoderInput *input, const RvmBuffer *visible_rows,
    const RvmDecoderActivations *act, const RvmDecoderBackward *scratch, const RvmBuffer *dpredicted, RvmBuffer *dfeatures,
    RvmBuffer *dencoded);

G_END_DECLS
