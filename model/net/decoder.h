/* The decoder (docs/model.md, section 4) predicts masked frames from their visible patches and the features of earlier frames. Only training and
 * pictures of reconstructions need it. Private to model/ and trainer/. */
#pragma once

#include "cross_transformer.h"

G_BEGIN_DECLS

typedef struct {
  guint dim;     /* width of the decoder */
  guint pixels;  /* patch * patch * 3 */
  guint gaps;    /* rows of gap_kernel */
  RvmLinear *embed;      /* (encoder dim, dim) */
  RvmBuffer *mask_token; /* (dim) */
  RvmBuffer *gap_kernel; /* (gaps, dim) */
  RvmBuffer *gap_bias;   /* (dim) */
  RvmCrossTransformer transformer;
  RvmLinear *detokenize; /* (dim, pixels) */
} RvmDecoder;

/* The activations of the decoder; borrowed. There are @samples, of @sources frames of context and @targets masked frames each. */
typedef struct {
  RvmBuffer *context;   /* (samples * sources * tokens, dim) */
  RvmBuffer *embedded;  /* (samples * targets * kept, dim) */
  RvmBuffer *tokens;    /* (samples * targets * tokens, dim) */
  RvmCrossTransformerActivations transformer;
  RvmBuffer *predicted; /* (samples * targets * tokens, pixels); the rows of class tokens are undefined */
} RvmDecoderActivations;

typedef struct {
  const RvmBuffer *features; /* (samples, sources, tokens, encoder dim): the states after each source frame */
  const RvmBuffer *encoded;  /* (samples, targets, kept, encoder dim): visible tokens, the class token first */
  const RvmBuffer *slot;     /* uint32 (samples, targets, tokens), see RvmDecoderTokens */
  const RvmBuffer *gap;      /* uint32 (samples, targets): frames after the last source frame */
  const RvmBuffer *position; /* (tokens - 1, dim), see rvm_position_code() */
  gboolean context_position; /* the positional encoding is added to the embedded features, too. FALSE: as published; the states must then encode
                              * positions themselves */
  guint samples, sources, targets, tokens, kept;
} RvmDecoderInput;

/* @config must have layers: the model has a decoder. */
void rvm_decoder_load (RvmDecoder *decoder, RvmLoader *loader, const RvmTransformerConfig *config, guint patch, guint gaps);
void rvm_decoder_clear (RvmDecoder *decoder);

void rvm_decoder_forward (RvmQueue *queue, const RvmDecoder *decoder, const RvmDecoderInput *input, const RvmDecoderActivations *act);

guint64 rvm_decoder_flops (const RvmDecoder *decoder, const RvmDecoderInput *input, guint encoder_dim);

G_END_DECLS
