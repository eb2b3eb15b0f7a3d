/* Loading and forward pass of the layers. The forward pass only enqueues commands; nothing here waits. */
#include "layers.h"

#include "kernels/ops/norm.h"

void
rvm_norm_load (RvmNorm *norm, RvmLoader *loader, guint dim, RvmSite site)
{
  norm->dim = dim;
  norm->scale = rvm_loader_vector (loader, site, RVM_ROLE_SCALE);
  norm->bias = rvm_loader_vector (loader, site, RVM_ROLE_BIAS);
}

void
rvm_norm_clear (RvmNorm *norm)
{
  g_clear_pointer (&norm->scale, rvm_buffer_unref);
  g_clear_pointer (&norm->bias, rvm_buffer_unref);
}

void
rvm_self_attention_load (RvmAttentionLayer *layer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part, guint block)
{
  const RvmSite project[] = {
    { part, RVM_LAYER_SELF_QUERY, block }, { part, RVM_LAYER_SELF_KEY, block }, { part, RVM_LAYER_SELF_VALUE, block },
  };

  layer->dim = config->dim;
  layer->heads = config->heads;
  rvm_norm_load (&layer->norm, loader, config->dim, (RvmSite){ part, RVM_LAYER_SELF_NORM, block });
  layer->project = rvm_loader_linear (loader, project, G_N_ELEMENTS (project), TRUE);
  layer->out = rvm_loader_linear (loader, &(RvmSite){ part, RVM_LAYER_SELF_OUT, block }, 1, TRUE);
}

void
rvm_cross_attention_load (RvmAttentionLayer *layer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part, guint block)
{
  layer->dim = config->dim;
  layer->heads = config->heads;
  rvm_norm_load (&layer->norm, loader, config->dim, (RvmSite){ part, RVM_LAYER_CROSS_NORM, block });
  layer->project = rvm_loader_linear (loader, &(RvmSite){ part, RVM_LAYER_CROSS_QUERY, block }, 1, TRUE);
  layer->out = rvm_loader_linear (loader, &(RvmSite){ part, RVM_LAYER_CROSS_OUT, block }, 1, TRUE);
}

void
rvm_mlp_load (RvmMlpLayer *layer, RvmLoader *loader, const RvmTransformerConfig *config, RvmPart part, guint block)
{
  layer->dim = config->dim;
  layer->hidden = config->mlp;
  rvm_norm_load (&layer->norm, loader, config->dim, (RvmSite){ part, RVM_LAYER_MLP_NORM, block });
  layer->in = rvm_loader_linear (loader, &(RvmSite){ part, RVM_LAYER_MLP_IN, block }, 1, TRUE);
  layer->out = rvm_loader_linear (loader, &(RvmSite){ part, RVM_LAYER_MLP_OUT, block }, 1, TRUE);
}

void
rvm_attention_layer_clear (RvmAttentionLayer *layer)
{
  rvm_norm_clear (&layer->norm);
  g_clear_pointer (&layer->project, rvm_linear_free);
  g_clear_pointer (&layer->out, rvm_linear_free);
}

void
rvm_mlp_layer_clear (RvmMlpLayer *layer)
{
  rvm_norm_clear (&layer->norm);
  g_clear_pointer (&layer->in, rvm_linear_free);
  g_clear_pointer (&layer->out, rvm_linear_free);
}

void
rvm_norm_forward (RvmQueue *queue, const RvmNorm *norm, const RvmBuffer *x, RvmBuffer *out, guint rows)
{
  rvm_layernorm (queue, rvm_tensor (x, rows, norm->dim), norm->scale, norm->bias, rvm_tensor (out, rows, norm->dim), RVM_NORM_EPSILON);
}

/* @rows rows of @width in @buffer, between products by @linear's provider. */
static RvmTensor
activations (const RvmLinear *linear, const RvmBuffer *buffer, guint rows, guint width)
{
  RvmTensor x = rvm_tensor (buffer, rows, width);

  x.type = rvm_linear_get_activations (linear);
  return x;
}

/* LN (x), for the product with @reader. */
static RvmTensor
norm_for (RvmQueue *queue, const RvmNorm *norm, const RvmLinear *reader, const RvmBuffer *x, RvmBuffer *out, guint rows)
{
  const RvmTensor result = activations (reader, out, rows, norm->dim);

  rvm_layernorm (queue, rvm_tensor (x, rows, norm->dim), norm->scale, norm->bias, result, RVM_NORM_EPSILON);
  return result;
}

/* out = x + attended W + b */
static void
project_out (RvmQueue *queue, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmAttentionActivations *act, guint rows)
{
  rvm_linear_forward (queue, layer->out, activations (layer->out, act->attended, rows, layer->dim), rvm_tensor (act->out, rows, layer->dim),
      &(RvmEpilogue){ .residual = rvm_tensor (x, rows, layer->dim) });
}

RvmAttention
rvm_self_attention_describe (const RvmAttentionLayer *layer, const RvmAttentionActivations *act, guint batch, guint tokens)
{
  const guint dim = layer->dim;
  const RvmTensor qkv = activations (layer->project, act->qkv, batch * tokens, 3 * dim);

  return (RvmAttention){
    .query = rvm_tensor_columns (qkv, 0, dim),
    .key = rvm_tensor_columns (qkv, dim, dim),
    .value = rvm_tensor_columns (qkv, 2 * dim, dim),
    .out = activations (layer->out, act->attended, batch * tokens, dim),
    .log_sum_exp = rvm_tensor (act->log_sum_exp, batch * layer->heads, tokens),
    .batch = batch, .heads = layer->heads,
  };
}

RvmAttention
rvm_cross_attention_describe (const RvmAttentionLayer *layer, const RvmContext *context, const RvmAttentionActivations *act, guint batch,
    guint tokens)
{
  const guint dim = layer->dim;
  RvmTensor keys_values = rvm_tensor (context->buffer, batch * context->rows, context->stride);

  keys_values.type = context->type;
  return (RvmAttention){
    .query = activations (layer->project, act->qkv, batch * tokens, dim),
    .key = rvm_tensor_columns (keys_values, context->offset, dim),
    .value = rvm_tensor_columns (keys_values, context->offset + dim, dim),
    .out = activations (layer->out, act->attended, batch * tokens, dim),
    .log_sum_exp = rvm_tensor (act->log_sum_exp, batch * layer->heads, tokens),
    .batch = batch, .heads = layer->heads,
  };
}

void
rvm_self_attention_forward (RvmQueue *queue, const RvmAttentionLayer *layer, const RvmBuffer *x,
    const RvmAttentionActivations *act, guint batch, guint tokens)
{
  const RvmAttention attention = rvm_self_attention_describe (layer, act, batch, tokens);
  const guint rows = batch * tokens;
  const RvmTensor norm = norm_for (queue, &layer->norm, layer->project, x, act->norm, rows);

  rvm_linear_forward (queue, layer->project, norm, activations (layer->project, act->qkv, rows, 3 * layer->dim), NULL);
  rvm_attention (queue, &attention);
  project_out (queue, layer, x, act, rows);
}

void
rvm_cross_attention_forward (RvmQueue *queue, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmContext *context,
    const RvmAttentionActivations *act, guint batch, guint tokens)
{
  const RvmAttention attention = rvm_cross_attention_describe (layer, context, act, batch, tokens);
  const guint rows = batch * tokens;
  const RvmTensor norm = norm_for (queue, &layer->norm, layer->project, x, act->norm, rows);

  rvm_linear_forward (queue, layer->project, norm, activations (layer->project, act->qkv, rows, layer->dim), NULL);
  rvm_attention (queue, &attention);
  project_out (queue, layer, x, act, rows);
}

void
rvm_mlp_forward (RvmQueue *queue, const RvmMlpLayer *layer, const RvmBuffer *x, const RvmMlpActivations *act, guint rows)
{
  const RvmTensor hidden = activations (layer->out, act->hidden, rows, layer->hidden);
  const RvmTensor norm = norm_for (queue, &layer->norm, layer->in, x, act->norm, rows);

  rvm_linear_forward (queue, layer->in, norm, hidden,
      &(RvmEpilogue){ .gelu = TRUE, .pre_gelu = rvm_tensor (act->pre_gelu, rows, layer->hidden) });
  rvm_linear_forward (queue, layer->out, hidden, rvm_tensor (act->out, rows, layer->dim),
      &(RvmEpilogue){ .residual = rvm_tensor (x, rows, layer->dim) });
}

guint64
rvm_attention_layer_flops (const RvmAttentionLayer *layer, gboolean self, guint64 tokens, guint64 keys)
{
  const guint64 dim = layer->dim;

  /* Projections, then q k^T and p v. The keys and values of a cross-attention layer are projected elsewhere. */
  return 2 * tokens * dim * dim * (self ? 4 : 2) + 4 * tokens * keys * dim;
}

guint64
rvm_mlp_flops (const RvmMlpLayer *layer, guint64 tokens)
{
  return 4 * tokens * layer->dim * layer->hidden;
}
