/* The decoder: embedding, cross-attention to the features of earlier frames, pixels. */
#include "decoder.h"

#include "kernels/ops/tokens.h"

static RvmLinear *
load_linear (RvmLoader *loader, guint k, guint n, const char *key)
{
  RvmLinear *linear = rvm_loader_begin_linear (loader, k, n, TRUE);

  rvm_loader_add_linear (loader, linear, "%s", key);
  return rvm_loader_end_linear (loader, linear);
}

void
rvm_decoder_load (RvmDecoder *decoder, RvmLoader *loader, const RvmTransformerConfig *config, guint encoder_dim, guint patch, guint gaps)
{
  decoder->dim = config->dim;
  decoder->pixels = patch * patch * 3;
  decoder->gaps = gaps;
  decoder->embed = load_linear (loader, encoder_dim, config->dim, "decoder_embedder");
  decoder->mask_token = rvm_loader_vector (loader, "mask_token");
  decoder->gap_kernel = rvm_loader_vector (loader, "delta_embedder/kernel");
  decoder->gap_bias = rvm_loader_vector (loader, "delta_embedder/bias");
  rvm_cross_transformer_load (&decoder->transformer, loader, config, "decoder");
  decoder->detokenize = load_linear (loader, config->dim, decoder->pixels, "detokenizer/Dense_0");
}

void
rvm_decoder_clear (RvmDecoder *decoder)
{
  g_clear_pointer (&decoder->embed, rvm_linear_free);
  g_clear_pointer (&decoder->mask_token, rvm_buffer_unref);
  g_clear_pointer (&decoder->gap_kernel, rvm_buffer_unref);
  g_clear_pointer (&decoder->gap_bias, rvm_buffer_unref);
  rvm_cross_transformer_clear (&decoder->transformer);
  g_clear_pointer (&decoder->detokenize, rvm_linear_free);
}

/* out = x W + b over whole rows */
static void
linear (RvmQueue *queue, const RvmLinear *weights, const RvmBuffer *x, guint k, RvmBuffer *out, guint n, guint rows)
{
  rvm_linear_forward (queue, weights, rvm_tensor (x, rows, k), rvm_tensor (out, rows, n), NULL);
}

void
rvm_decoder_forward (RvmQueue *queue, const RvmDecoder *decoder, const RvmDecoderInput *input, const RvmDecoderActivations *act)
{
  const guint encoder_dim = rvm_linear_get_k (decoder->embed), dim = decoder->dim;
  const guint pictures = input->samples * input->targets, rows = pictures * input->tokens;
  const guint context_rows = input->sources * input->tokens;
  const RvmTensor position = rvm_tensor (input->position, input->tokens - 1, dim);

  linear (queue, decoder->embed, input->features, encoder_dim, act->context, dim, input->samples * context_rows);
  if (input->context_position)
    rvm_add_position (queue, rvm_tensor (act->context, input->samples * context_rows, dim), position, input->samples * input->sources);
  linear (queue, decoder->embed, input->encoded, encoder_dim, act->embedded, dim, pictures * input->kept);
  rvm_decoder_tokens (queue, &(RvmDecoderTokens){
                                 .embedded = rvm_tensor (act->embedded, pictures * input->kept, dim), .slot = input->slot,
                                 .mask_token = decoder->mask_token, .position = position, .gap_kernel = decoder->gap_kernel,
                                 .gap_bias = decoder->gap_bias, .gap = input->gap, .out = rvm_tensor (act->tokens, rows, dim),
                                 .pictures = pictures,
                             });
  rvm_cross_transformer_forward (queue, &decoder->transformer, act->tokens, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = input->samples, .pictures = input->targets, .rows = input->tokens, .context_rows = context_rows });
  linear (queue, decoder->detokenize, act->transformer.out, dim, act->predicted, decoder->pixels, rows);
}

guint64
rvm_decoder_flops (const RvmDecoder *decoder, const RvmDecoderInput *input, guint encoder_dim)
{
  const guint64 dim = decoder->dim, pictures = (guint64) input->samples * input->targets, rows = pictures * input->tokens;
  const guint64 embedded = (guint64) input->samples * input->sources * input->tokens + pictures * input->kept;

  return 2 * embedded * encoder_dim * dim + 2 * rows * dim * decoder->pixels
      + rvm_cross_transformer_flops (&decoder->transformer,
          &(RvmCrossShape){
              .contexts = input->samples, .pictures = input->targets, .rows = input->tokens,
              .context_rows = input->sources * input->tokens,
          });
}
