/* Backward pass of single layers: from the output of each to its input. */
#include "layers.h"

#include "kernels/ops/attention_backward.h"
#include "kernels/ops/norm_backward.h"

void
rvm_backward_take (RvmBackward *backward, RvmArena *arena, const RvmTransformerConfig *const *configs, const guint64 *rows, guint n)
{
  guint64 plain = 0, wide = 0, hidden = 0, heads = 0, partial = 0;

  for (guint i = 0; i < n; i++) {
    plain = MAX (plain, rows[i] * configs[i]->dim);
    wide = MAX (wide, rows[i] * 3 * configs[i]->dim);
    hidden = MAX (hidden, rows[i] * configs[i]->mlp);
    heads = MAX (heads, rows[i] * configs[i]->heads);
    partial = MAX (partial, rvm_norm_backward_scratch (rows[i], configs[i]->dim));
  }
  backward->norm = rvm_arena_take (arena, plain, 1, "gradient of normalised tokens");
  backward->qkv = rvm_arena_take (arena, wide, 1, "gradient of queries, keys and values");
  backward->attended = rvm_arena_take (arena, plain, 1, "gradient of attention output");
  backward->hidden = rvm_arena_take (arena, hidden, 1, "gradient of hidden layer");
  backward->delta = rvm_arena_take (arena, heads, 1, "attention scratch");
  backward->partial = rvm_arena_take (arena, partial, 1, "norm scratch");
}

void
rvm_norm_backward (const RvmBackward *b, const RvmNorm *norm, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx, gboolean accumulate,
    guint rows)
{
  RvmVectorGradient *scale = rvm_gradients_find_vector (b->gradients, norm->scale);
  RvmVectorGradient *bias = rvm_gradients_find_vector (b->gradients, norm->bias);

  rvm_layernorm_backward (b->queue, &(RvmLayerNormBackward){
                                        .x = rvm_tensor (x, rows, norm->dim), .dout = rvm_tensor (dy, rows, norm->dim), .scale = norm->scale,
                                        .dx = rvm_tensor (dx, rows, norm->dim), .accumulate_dx = accumulate, .dscale = scale->gradient,
                                        .dbias = bias->gradient, .accumulate = !scale->empty, .scratch = b->partial,
                                        .epsilon = RVM_NORM_EPSILON,
                                    });
  scale->empty = bias->empty = FALSE;
}

void
rvm_linear_backward (const RvmBackward *b, const RvmLinear *weights, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx,
    guint rows)
{
  RvmLinearGradient *gradient = rvm_gradients_find_linear (b->gradients, weights);
  const guint k = rvm_linear_get_k (weights), n = rvm_linear_get_n (weights);
  const RvmTensor dout = rvm_tensor (dy, rows, n);

  rvm_linear_gradient_add (b->queue, gradient, rvm_tensor (x, rows, k), dout);
  if (dx)
    rvm_linear_forward (b->queue, rvm_linear_gradient_get_transposed (gradient), dout, rvm_tensor (dx, rows, k), NULL);
}

void
rvm_mlp_backward (const RvmBackward *b, const RvmMlpLayer *layer, const RvmBuffer *x, const RvmMlpActivations *act, RvmBuffer *g,
    guint rows)
{
  RvmLinearGradient *out = rvm_gradients_find_linear (b->gradients, layer->out), *in = rvm_gradients_find_linear (b->gradients, layer->in);

  const RvmTensor dout = rvm_tensor (g, rows, layer->dim), dhidden = rvm_tensor (b->hidden, rows, layer->hidden);

  /* The two products are one launch (kernels/ops/chain.h), since nothing comes between them. */
  rvm_linear_forward (b->queue, rvm_linear_gradient_get_transposed (out), dout, dhidden,
      &(RvmEpilogue){ .gelu_slope = TRUE, .pre_gelu = rvm_tensor (act->pre_gelu, rows, layer->hidden) });
  rvm_linear_forward (b->queue, rvm_linear_gradient_get_transposed (in), dhidden, rvm_tensor (b->norm, rows, layer->dim), NULL);
  rvm_linear_gradient_add (b->queue, out, rvm_tensor (act->hidden, rows, layer->hidden), dout);
  rvm_linear_gradient_add (b->queue, in, rvm_tensor (act->norm, rows, layer->dim), dhidden);
  rvm_norm_backward (b, &layer->norm, x, b->norm, g, TRUE, rows);
}

void
rvm_self_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmAttentionActivations *act,
    RvmBuffer *g, guint batch, guint tokens)
{
  const RvmAttention forward = rvm_self_attention_describe (layer, act, batch, tokens);
  const guint rows = batch * tokens;

  rvm_linear_backward (b, layer->out, act->attended, g, b->attended, rows);
  rvm_attention_backward (b->queue, &forward,
      &(RvmAttentionBackward){
          .dout = rvm_tensor_on (forward.out, b->attended), .dquery = rvm_tensor_on (forward.query, b->qkv),
          .dkey = rvm_tensor_on (forward.key, b->qkv), .dvalue = rvm_tensor_on (forward.value, b->qkv),
          .delta = rvm_tensor_on (forward.log_sum_exp, b->delta),
      });
  rvm_linear_backward (b, layer->project, act->norm, b->qkv, b->norm, rows);
  rvm_norm_backward (b, &layer->norm, x, b->norm, g, TRUE, rows);
}

void
rvm_cross_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmContext *context,
    RvmBuffer *dcontext, const RvmAttentionActivations *act, RvmBuffer *g, guint batch, guint tokens)
{
  const RvmAttention forward = rvm_cross_attention_describe (layer, context, act, batch, tokens);
  const guint rows = batch * tokens;

  rvm_linear_backward (b, layer->out, act->attended, g, b->attended, rows);
  rvm_attention_backward (b->queue, &forward,
      &(RvmAttentionBackward){
          .dout = rvm_tensor_on (forward.out, b->attended), .dquery = rvm_tensor_on (forward.query, b->qkv),
          .dkey = rvm_tensor_on (forward.key, dcontext), .dvalue = rvm_tensor_on (forward.value, dcontext),
          .delta = rvm_tensor_on (forward.log_sum_exp, b->delta),
      });
  rvm_linear_backward (b, layer->project, act->norm, b->qkv, b->norm, rows);
  rvm_norm_backward (b, &layer->norm, x, b->norm, g, TRUE, rows);
}
