/* Loading and forward pass of a stack of cross-attention blocks. */
#include "cross_transformer.h"

void
rvm_cross_transformer_load (RvmCrossTransformer *transformer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part)
{
  g_autofree RvmSite *context = g_new (RvmSite, 2 * (gsize) config->layers);

  transformer->dim = config->dim;
  transformer->n_blocks = config->layers;
  transformer->blocks = g_new0 (RvmCrossBlock, config->layers);
  for (guint i = 0; i < config->layers; i++) {
    context[2 * i] = (RvmSite){ part, RVM_LAYER_CROSS_KEY, i };
    context[2 * i + 1] = (RvmSite){ part, RVM_LAYER_CROSS_VALUE, i };
  }
  transformer->context = rvm_loader_linear (loader, context, 2 * config->layers, TRUE);
  for (guint i = 0; i < config->layers; i++) {
    RvmCrossBlock *block = &transformer->blocks[i];

    rvm_cross_attention_load (&block->cross, loader, config, part, i);
    rvm_mlp_load (&block->mlp, loader, config, part, i);
    rvm_self_attention_load (&block->self, loader, config, part, i);
  }
  rvm_norm_load (&transformer->norm, loader, config->dim, (RvmSite){ part, RVM_LAYER_OUTPUT_NORM, 0 });
}

void
rvm_cross_transformer_clear (RvmCrossTransformer *transformer)
{
  for (guint i = 0; i < transformer->n_blocks; i++) {
    rvm_attention_layer_clear (&transformer->blocks[i].cross);
    rvm_mlp_layer_clear (&transformer->blocks[i].mlp);
    rvm_attention_layer_clear (&transformer->blocks[i].self);
  }
  transformer->n_blocks = 0;
  g_clear_pointer (&transformer->blocks, g_free);
  g_clear_pointer (&transformer->context, rvm_linear_free);
  rvm_norm_clear (&transformer->norm);
}

void
rvm_cross_transformer_forward (RvmQueue *queue, const RvmCrossTransformer *transformer, const RvmBuffer *x, const RvmBuffer *context,
    const RvmCrossTransformerActivations *act, const RvmCrossShape *shape)
{
  const guint dim = transformer->dim, stride = transformer->n_blocks * 2 * dim;
  const guint pictures = shape->contexts * shape->pictures, rows = shape->rows, context_rows = shape->contexts * shape->context_rows;

  RvmTensor keys_values = rvm_tensor (act->keys_values, context_rows, stride);

  keys_values.type = rvm_linear_get_activations (transformer->context);
  rvm_linear_forward (queue, transformer->context, rvm_tensor (context, context_rows, dim), keys_values, NULL);
  for (guint i = 0; i < transformer->n_blocks; i++) {
    const RvmCrossBlock *block = &transformer->blocks[i];
    const RvmCrossBlockActivations *to = &act->blocks[i];
    const RvmContext kv = rvm_cross_transformer_get_context (transformer, i, act->keys_values, shape->context_rows);

    rvm_cross_attention_forward (queue, &block->cross, x, &kv, &to->cross, shape->contexts, shape->pictures * rows);
    rvm_mlp_forward (queue, &block->mlp, to->cross.out, &to->mlp, pictures * rows);
    rvm_self_attention_forward (queue, &block->self, to->mlp.out, &to->self, pictures, rows);
    x = to->self.out;
  }
  rvm_norm_forward (queue, &transformer->norm, x, act->out, pictures * rows);
}

RvmContext
rvm_cross_transformer_get_context (const RvmCrossTransformer *transformer, guint block, const RvmBuffer *keys_values, guint rows)
{
  const guint pair = 2 * transformer->dim;

  return (RvmContext){
    .buffer = keys_values, .type = rvm_linear_get_activations (transformer->context), .offset = block * pair, .stride = transformer->n_blocks * pair,
    .rows = rows,
  };
}

guint64
rvm_cross_transformer_flops (const RvmCrossTransformer *transformer, const RvmCrossShape *shape)
{
  const guint64 dim = transformer->dim, queries = (guint64) shape->pictures * shape->rows;
  guint64 flops = 2 * shape->context_rows * dim * transformer->n_blocks * 2 * dim;

  for (guint i = 0; i < transformer->n_blocks; i++)
    flops += rvm_attention_layer_flops (&transformer->blocks[i].cross, FALSE, queries, shape->context_rows)
        + rvm_mlp_flops (&transformer->blocks[i].mlp, queries)
        + shape->pictures * rvm_attention_layer_flops (&transformer->blocks[i].self, TRUE, shape->rows, shape->rows);
  return shape->contexts * flops;
}
