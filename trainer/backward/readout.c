/* The attention readout, from its outputs to its weights. */
#include "readout.h"

#include "kernels/ops/attention_backward.h"
#include "kernels/ops/norm_backward.h"
#include "kernels/ops/row_sum.h"
#include "kernels/ops/tokens_backward.h"
#include "kernels/ops/window.h"

void
rvm_readout_scratch_take (RvmBackward *backward, RvmReadoutScratch *scratch, RvmArena *arena, const RvmAttentionReadoutConfig *config,
    const RvmReadoutShape *most)
{
  const guint64 states = (guint64) most->windows * most->states, tokens = states * most->tokens, rows = (guint64) most->windows * most->queries;
  const guint width = config->block.dim, hidden = config->block.mlp;

  *backward = (RvmBackward){ .queue = NULL };
  backward->norm = rvm_arena_take (arena, rows, width, "gradient of normalised queries");
  backward->hidden = rvm_arena_take (arena, rows, hidden, "gradient of the hidden layer");
  backward->delta = rvm_arena_take (arena, rows, config->block.heads, "attention scratch");
  backward->partial = rvm_arena_take (arena, MAX (rvm_norm_backward_scratch (rows, width), rvm_norm_backward_scratch (tokens, config->dim)), 1,
      "norm scratch");
  *scratch = (RvmReadoutScratch){ .dout = NULL };
  scratch->dout = rvm_arena_take (arena, rows, width, "gradient of queries");
  scratch->dattended = rvm_arena_take (arena, rows, width, "gradient of the attention output");
  scratch->dqueries = rvm_arena_take (arena, rows, width, "gradient of queries");
  scratch->dkeys_values = rvm_arena_take (arena, tokens, 2 * (guint64) width, "gradient of keys and values");
  scratch->dnorm = rvm_arena_take (arena, tokens, config->dim, "gradient of normalised states");
  scratch->dstates = rvm_arena_take (arena, tokens, config->dim, "gradient of states");
  scratch->sums = rvm_arena_take (arena, states, config->dim, "sums of states");
  if (config->code) {
    scratch->dquery = rvm_arena_take (arena, most->queries, width, "gradient of the queries of places");
    scratch->dplace = rvm_arena_take (arena, most->queries, hidden, "gradient of the hidden layer of places");
  }
}

/* @out (queries, P) = or += the sum over windows of @d (windows * queries, P). */
static void
sum_windows (RvmQueue *queue, const RvmBuffer *d, RvmBuffer *out, const RvmReadoutShape *shape, guint width, gboolean accumulate)
{
  rvm_sum_rows (queue, &(RvmRowSum){
                           .x = rvm_tensor (d, shape->windows, shape->queries * width), .pictures = shape->windows, .rows = 1, .out = out,
                           .accumulate = accumulate,
                       });
}

/* The queries reach the outputs in two ways: they ask, and they are what the answer is added to. */
static void
queries_backward (const RvmBackward *b, const RvmAttentionReadout *readout, const RvmReadoutInput *input, const RvmReadoutActivations *act,
    const RvmReadoutShape *shape, const RvmReadoutScratch *scratch)
{
  const guint width = readout->config.block.dim, hidden = readout->config.block.mlp, queries = shape->queries;
  RvmVectorGradient *learned = readout->queries ? rvm_gradients_find_vector (b->gradients, readout->queries) : NULL;
  RvmBuffer *to = learned ? learned->gradient : scratch->dquery;
  RvmLinearGradient *in, *out;
  RvmTensor dquery, dplace;

  sum_windows (b->queue, scratch->dout, to, shape, width, learned && !learned->empty);
  sum_windows (b->queue, scratch->dqueries, to, shape, width, TRUE);
  if (learned) {
    learned->empty = FALSE;
    return;
  }
  in = rvm_gradients_find_linear (b->gradients, readout->place_in);
  out = rvm_gradients_find_linear (b->gradients, readout->place_out);
  dquery = rvm_tensor (scratch->dquery, queries, width);
  dplace = rvm_tensor (scratch->dplace, queries, hidden);
  rvm_linear_forward (b->queue, rvm_linear_gradient_get_transposed (out), dquery, dplace,
      &(RvmEpilogue){ .gelu_slope = TRUE, .pre_gelu = rvm_tensor (act->place_pre_gelu, queries, hidden) });
  rvm_linear_gradient_add (b->queue, out, rvm_tensor (act->place_hidden, queries, hidden), dquery);
  rvm_linear_gradient_add (b->queue, in, rvm_tensor (input->places, queries, readout->config.code), dplace);
}

void
rvm_attention_readout_backward (const RvmBackward *b, const RvmAttentionReadout *readout, const RvmReadoutInput *input,
    const RvmReadoutActivations *act, const RvmReadoutShape *shape, const RvmReadoutScratch *scratch, const RvmBuffer *doutputs)
{
  const guint states = shape->windows * shape->states, tokens = states * shape->tokens, rows = shape->windows * shape->queries;
  const guint dim = readout->config.dim;
  const RvmAttention forward
      = rvm_attention_readout_describe (readout, act->queries, act, shape->windows, shape->queries, shape->states * shape->tokens);
  RvmVectorGradient *code = rvm_gradients_find_vector (b->gradients, readout->temporal_code);
  const RvmTensor sums = rvm_tensor (scratch->sums, states, dim);

  rvm_linear_backward (b, readout->outputs, act->mlp.out, doutputs, scratch->dout, rows);
  rvm_mlp_backward (b, &readout->mlp, act->joined, &act->mlp, scratch->dout, rows);
  rvm_linear_backward (b, readout->out, act->attended, scratch->dout, scratch->dattended, rows);
  rvm_attention_backward (b->queue, &forward,
      &(RvmAttentionBackward){
          .dout = rvm_tensor_on (forward.out, scratch->dattended), .dquery = rvm_tensor_on (forward.query, scratch->dqueries),
          .dkey = rvm_tensor_on (forward.key, scratch->dkeys_values), .dvalue = rvm_tensor_on (forward.value, scratch->dkeys_values),
          .delta = rvm_tensor_on (forward.log_sum_exp, b->delta),
      });
  queries_backward (b, readout, input, act, shape, scratch);
  rvm_linear_backward (b, readout->key_value, act->norm, scratch->dkeys_values, scratch->dnorm, tokens);
  rvm_sum_frames (b->queue, rvm_tensor (scratch->dnorm, tokens, dim), sums);
  rvm_sum_by_gap (b->queue, sums, input->age, rvm_tensor (code->gradient, readout->config.window, dim), !code->empty);
  code->empty = FALSE;
  rvm_norm_backward (b, &readout->norm, input->states, scratch->dnorm, scratch->dstates, FALSE, tokens);
}
