/* Loading and forward pass of the encoder, a vision transformer that sees one frame only. */
#include "encoder.h"

void
rvm_encoder_load (RvmEncoder *encoder, RvmLoader *loader, const RvmTransformerConfig *config)
{
  encoder->n_blocks = config->layers;
  encoder->blocks = g_new0 (RvmEncoderBlock, config->layers);
  for (guint i = 0; i < config->layers; i++) {
    rvm_self_attention_load (&encoder->blocks[i].attention, loader, config, RVM_PART_ENCODER, i);
    rvm_mlp_load (&encoder->blocks[i].mlp, loader, config, RVM_PART_ENCODER, i);
  }
  rvm_norm_load (&encoder->norm, loader, config->dim, (RvmSite){ RVM_PART_ENCODER, RVM_LAYER_OUTPUT_NORM, 0 });
}

void
rvm_encoder_clear (RvmEncoder *encoder)
{
  for (guint i = 0; i < encoder->n_blocks; i++) {
    rvm_attention_layer_clear (&encoder->blocks[i].attention);
    rvm_mlp_layer_clear (&encoder->blocks[i].mlp);
  }
  encoder->n_blocks = 0;
  g_clear_pointer (&encoder->blocks, g_free);
  rvm_norm_clear (&encoder->norm);
}

void
rvm_encoder_forward (RvmQueue *queue, const RvmEncoder *encoder, const RvmBuffer *tokens, const RvmEncoderActivations *act,
    guint batch, guint rows)
{
  const RvmBuffer *x = tokens;

  for (guint i = 0; i < encoder->n_blocks; i++) {
    rvm_self_attention_forward (queue, &encoder->blocks[i].attention, x, &act->blocks[i].attention, batch, rows);
    x = act->blocks[i].attention.out;
    rvm_mlp_forward (queue, &encoder->blocks[i].mlp, x, &act->blocks[i].mlp, batch * rows);
    x = act->blocks[i].mlp.out;
  }
  rvm_norm_forward (queue, &encoder->norm, x, act->out, batch * rows);
}

guint64
rvm_encoder_flops (const RvmEncoder *encoder, guint64 tokens)
{
  guint64 flops = 0;

  for (guint i = 0; i < encoder->n_blocks; i++)
    flops += rvm_attention_layer_flops (&encoder->blocks[i].attention, TRUE, tokens, tokens)
        + rvm_mlp_flops (&encoder->blocks[i].mlp, tokens);
  return flops;
}
