/* Backward pass of decoder, core, encoder and tokenizer: the functions of model/net/ in reverse. The rule for gradients is in layers.h. */
#pragma once

#include "layers.h"

G_BEGIN_DECLS

/* @x, @context: inputs of the forward pass. @dout: the gradient with respect to its output. Writes @dx (rows, dim) and @dcontext (context rows, dim).
 * @dkeys_values is scratch of the shape of act->keys_values. */
void rvm_cross_transformer_backward (const RvmBackward *b, const RvmCrossTransformer *transformer, const RvmBuffer *x,
    const RvmBuffer *context, const RvmCrossTransformerActivations *act, const RvmCrossShape *shape, const RvmBuffer *dout, RvmBuffer *dx,
    RvmBuffer *dcontext, RvmBuffer *dkeys_values);

/* @dout: the gradient with respect to the output. Writes @dtokens, that with respect to @tokens. */
void rvm_encoder_backward (const RvmBackward *b, const RvmEncoder *encoder, const RvmBuffer *tokens, const RvmEncoderActivations *act,
    const RvmBuffer *dout, RvmBuffer *dtokens, guint batch, guint rows);

/* @dtokens (batch, kept, dim). @patches: as the forward pass left them. */
void rvm_tokenizer_backward (const RvmBackward *b, const RvmTokenizer *tokenizer, const RvmBuffer *patches, const RvmBuffer *dtokens,
    guint batch, guint kept);

/* Scratch of the core's backward pass. */
typedef struct {
  RvmBuffer *dcandidate, *dcontext; /* (rows, dim) */
  RvmBuffer *dgates;                /* (rows, 2 dim) */
  RvmBuffer *dkeys_values;          /* (rows, layers * 2 dim) */
} RvmCoreBackward;

/* Backward pass of one frame. @encoded, @state: inputs of the forward pass. @dnext: the gradient with respect to the new state. Writes @dstate,
 * which may be @dnext itself, and @dencoded. */
void rvm_core_backward (const RvmBackward *b, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, const RvmCoreBackward *scratch, const RvmBuffer *dnext, RvmBuffer *dstate, RvmBuffer *dencoded,
    guint batch, guint tokens);

/* Scratch of the decoder's backward pass. */
typedef struct {
  RvmBuffer *dout, *dtokens; /* (samples * targets * tokens, dim) */
  RvmBuffer *dcontext;       /* (samples * sources * tokens, dim) */
  RvmBuffer *dembedded;      /* (samples * targets * kept, dim) */
  RvmBuffer *dkeys_values;   /* (samples * sources * tokens, layers * 2 dim) */
  RvmBuffer *sums;           /* (2, samples * targets, dim) */
} RvmDecoderBackward;

/* @visible_rows: uint32 (samples, targets, kept), the rows of the visible tokens among all samples * targets * tokens rows. Writes @dfeatures and
 * @dencoded. */
void rvm_decoder_backward (const RvmBackward *b, const RvmDecoder *decoder, const RvmDecoderInput *input, const RvmBuffer *visible_rows,
    const RvmDecoderActivations *act, const RvmDecoderBackward *scratch, const RvmBuffer *dpredicted, RvmBuffer *dfeatures,
    RvmBuffer *dencoded);

G_END_DECLS
