/* Layers, from their output to their input. */
#include "layers.h"

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
  backward->projected = rvm_arena_take (arena, wide, 1, "gradient of queries, keys and values");
  backward->mixed = rvm_arena_take (arena, plain, 1, "gradient of attention output");
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
                                        .x = x, .dy = dy, .scale = norm->scale, .dx = dx, .accumulate_dx = accumulate,
                                        .dscale = scale->gradient, .dbias = bias->gradient, .accumulate = !scale->empty,
                                        .scratch = b->partial, .rows = rows, .dim = norm->dim, .epsilon = RVM_NORM_EPSILON,
                                    });
  scale->empty = bias->empty = FALSE;
}

void
rvm_linear_backward (const RvmBackward *b, const RvmGemmWeights *weights, const RvmBuffer *x, const RvmBuffer *dy, RvmBuffer *dx,
    guint rows)
{
  RvmGemmGradient *gradient = rvm_gradients_find_linear (b->gradients, weights);
  const guint k = rvm_gemm_weights_get_k (weights), n = rvm_gemm_weights_get_n (weights);

  rvm_gemm_gradient_add (b->queue, gradient, x, 0, k, dy, 0, n, rows);
  if (dx)
    rvm_gemm (b->queue, rvm_gemm_gradient_get_transposed (gradient),
        &(RvmGemm){ .a = dy, .a_stride = n, .out = dx, .out_stride = k, .m = rows });
}

void
rvm_mlp_backward (const RvmBackward *b, const RvmMlpLayer *layer, const RvmBuffer *x, const RvmMlpActivations *act, RvmBuffer *g, guint rows)
{
  RvmGemmGradient *out = rvm_gradients_find_linear (b->gradients, layer->out), *in = rvm_gradients_find_linear (b->gradients, layer->in);

  /* The two products are one launch (kernels/ops/chain.h), since nothing comes between them. */
  rvm_gemm (b->queue, rvm_gemm_gradient_get_transposed (out),
      &(RvmGemm){ .a = g, .a_stride = layer->dim, .out = b->hidden, .out_stride = layer->hidden, .m = rows, .inner = act->inner });
  rvm_gemm (b->queue, rvm_gemm_gradient_get_transposed (in),
      &(RvmGemm){ .a = b->hidden, .a_stride = layer->hidden, .out = b->norm, .out_stride = layer->dim, .m = rows });
  rvm_gemm_gradient_add (b->queue, out, act->hidden, 0, layer->hidden, g, 0, layer->dim, rows);
  rvm_gemm_gradient_add (b->queue, in, act->norm, 0, layer->dim, b->hidden, 0, layer->hidden, rows);
  rvm_norm_backward (b, &layer->norm, x, b->norm, g, TRUE, rows);
}

void
rvm_self_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmAttentionActivations *act,
    RvmBuffer *g, guint batch, guint tokens)
{
  const RvmAttention forward = rvm_self_attention_describe (layer, act, batch, tokens);
  const guint rows = batch * tokens;

  rvm_linear_backward (b, layer->out, act->mixed, g, b->mixed, rows);
  rvm_attention_backward (b->queue, &forward,
      &(RvmAttentionBackward){
          .dout = b->mixed, .dquery = b->projected, .dkey = b->projected, .dvalue = b->projected, .delta = b->delta,
      });
  rvm_linear_backward (b, layer->project, act->norm, b->projected, b->norm, rows);
  rvm_norm_backward (b, &layer->norm, x, b->norm, g, TRUE, rows);
}

void
rvm_cross_attention_backward (const RvmBackward *b, const RvmAttentionLayer *layer, const RvmBuffer *x, const RvmContext *context,
    RvmBuffer *dcontext, const RvmAttentionActivations *act, RvmBuffer *g, guint batch, guint tokens)
{
  const RvmAttention forward = rvm_cross_attention_describe (layer, context, act, batch, tokens);
  const guint rows = batch * tokens;

  rvm_linear_backward (b, layer->out, act->mixed, g, b->mixed, rows);
  rvm_attention_backward (b->queue, &forward,
      &(RvmAttentionBackward){
          .dout = b->mixed, .dquery = b->projected, .dkey = dcontext, .dvalue = dcontext, .delta = b->delta,
      });
  rvm_linear_backward (b, layer->project, act->norm, b->projected, b->norm, rows);
  rvm_norm_backward (b, &layer->norm, x, b->norm, g, TRUE, rows);
}
