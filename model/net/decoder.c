/* Loading and forward pass of the decoder: embedding, cross-attention to the features of earlier frames, pixels. */
#include "decoder.h"

#include "kernels/ops/tokens.h"

void
rvm_decoder_load (RvmDecoder *decoder, RvmLoader *loader, const RvmTransformerConfig *config, guint patch, guint gaps)
{
  const RvmSite embed = { RVM_PART_DECODER, RVM_LAYER_DECODER_EMBED, 0 }, mask_token = { RVM_PART_DECODER, RVM_LAYER_MASK_TOKEN, 0 };
  const RvmSite gap = { RVM_PART_DECODER, RVM_LAYER_GAP_EMBED, 0 }, detokenize = { RVM_PART_DECODER, RVM_LAYER_DETOKENIZE, 0 };

  decoder->dim = config->dim;
  decoder->pixels = patch * patch * 3;
  decoder->gaps = gaps;
  decoder->embed = rvm_loader_linear (loader, &embed, 1, TRUE);
  decoder->mask_token = rvm_loader_vector (loader, mask_token, RVM_ROLE_VALUES);
  decoder->gap_kernel = rvm_loader_vector (loader, gap, RVM_ROLE_KERNEL);
  decoder->gap_bias = rvm_loader_vector (loader, gap, RVM_ROLE_BIAS);
  rvm_cross_transformer_load (&decoder->transformer, loader, config, RVM_PART_DECODER);
  decoder->detokenize = rvm_loader_linear (loader, &detokenize, 1, TRUE);
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
