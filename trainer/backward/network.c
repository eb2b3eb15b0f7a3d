/* Backward pass of the parts of the network: from the output of each to its input. */
#include "network.h"

#include "kernels/ops/gate_backward.h"
#include "kernels/ops/row_sum.h"
#include "kernels/ops/tokens_backward.h"

void
rvm_cross_transformer_backward (const RvmBackward *b, const RvmCrossTransformer *transformer, const RvmBuffer *x, const RvmBuffer *context,
    const RvmCrossTransformerActivations *act, const RvmCrossShape *shape, const RvmBuffer *dout, RvmBuffer *dx, RvmBuffer *dcontext,
    RvmBuffer *dkeys_values)
{
  const guint pictures = shape->contexts * shape->pictures, rows = shape->rows, last = transformer->n_blocks - 1;

  rvm_norm_backward (b, &transformer->norm, act->blocks[last].self.out, dout, dx, FALSE, pictures * rows);
  for (guint i = last + 1; i-- > 0;) {
    const RvmCrossBlock *block = &transformer->blocks[i];
    const RvmCrossBlockActivations *from = &act->blocks[i];
    const RvmContext kv = rvm_cross_transformer_get_context (transformer, i, act->keys_values, shape->context_rows);

    rvm_self_attention_backward (b, &block->self, from->mlp.out, &from->self, dx, pictures, rows);
    rvm_mlp_backward (b, &block->mlp, from->cross.out, &from->mlp, dx, pictures * rows);
    rvm_cross_attention_backward (b, &block->cross, i ? act->blocks[i - 1].self.out : x, &kv, dkeys_values, &from->cross, dx,
        shape->contexts, shape->pictures * rows);
  }
  rvm_linear_backward (b, transformer->context, context, dkeys_values, dcontext, shape->contexts * shape->context_rows);
}

void
rvm_encoder_backward (const RvmBackward *b, const RvmEncoder *encoder, const RvmBuffer *tokens, const RvmEncoderActivations *act,
    const RvmBuffer *dout, RvmBuffer *dtokens, guint batch, guint rows)
{
  const guint last = encoder->n_blocks - 1;

  rvm_norm_backward (b, &encoder->norm, act->blocks[last].mlp.out, dout, dtokens, FALSE, batch * rows);
  for (guint i = last + 1; i-- > 0;) {
    rvm_mlp_backward (b, &encoder->blocks[i].mlp, act->blocks[i].attention.out, &act->blocks[i].mlp, dtokens, batch * rows);
    rvm_self_attention_backward (b, &encoder->blocks[i].attention, i ? act->blocks[i - 1].mlp.out : tokens, &act->blocks[i].attention,
        dtokens, batch, rows);
    if (b->block_done)
      b->block_done (b->user_data, i);
  }
}

/* Adds to the gradient of a vector: the sum of @rows rows of each picture, beginning with its row @first. */
static void
add_row_sum (const RvmBackward *b, const RvmBuffer *vector, const RvmBuffer *x, guint dim, guint pictures, guint picture_rows, guint first,
    guint rows)
{
  RvmVectorGradient *to = rvm_gradients_find_vector (b->gradients, vector);

  rvm_sum_rows (b->queue,
      &(RvmRowSum){
          .x = rvm_tensor (x, pictures * picture_rows, dim), .pictures = pictures, .first = first, .rows = rows, .out = to->gradient,
          .accumulate = !to->empty,
      });
  to->empty = FALSE;
}

void
rvm_tokenizer_backward (const RvmBackward *b, const RvmTokenizer *tokenizer, const RvmBuffer *patches, const RvmBuffer *dtokens,
    guint batch, guint kept)
{
  /* The class token's rows of @patches are zero and add nothing to the kernel's gradient. */
  rvm_linear_backward (b, tokenizer->embed, patches, dtokens, NULL, batch * kept);
  add_row_sum (b, tokenizer->class_token, dtokens, tokenizer->dim, batch, kept, 0, 1);
  add_row_sum (b, tokenizer->bias, dtokens, tokenizer->dim, batch, kept, 1, kept - 1);
}

/* dx += d W^T, and the gradient of W. */
static void
gate_backward (const RvmBackward *b, const RvmLinear *weights, const RvmBuffer *x, const RvmBuffer *dgates, RvmBuffer *dx, guint dim,
    guint rows)
{
  RvmLinearGradient *gradient = rvm_gradients_find_linear (b->gradients, weights);

  const RvmTensor dout = rvm_tensor (dgates, rows, 2 * dim), din = rvm_tensor (dx, rows, dim);

  rvm_linear_gradient_add (b->queue, gradient, rvm_tensor (x, rows, dim), dout);
  rvm_linear_forward (b->queue, rvm_linear_gradient_get_transposed (gradient), dout, din, &(RvmEpilogue){ .residual = din });
}

void
rvm_core_backward (const RvmBackward *b, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, const RvmCoreBackward *scratch, const RvmBuffer *dnext, RvmBuffer *dstate, RvmBuffer *dencoded,
    guint batch, guint tokens)
{
  const guint rows = batch * tokens, dim = core->dim;
  RvmVectorGradient *scale = rvm_gradients_find_vector (b->gradients, core->state_scale);
  const RvmTensor gates = rvm_tensor (act->gates, rows, 2 * dim), dgates = rvm_tensor (scratch->dgates, rows, 2 * dim);
  const RvmTensor old = rvm_tensor (state, rows, dim), dold = rvm_tensor (dstate, rows, dim);

  rvm_state_update_backward (b->queue,
      &(RvmStateUpdateBackward){
          .gates = gates, .state = old, .candidate = rvm_tensor (act->transformer.out, rows, dim), .dnext = rvm_tensor (dnext, rows, dim),
          .dcandidate = rvm_tensor (scratch->dcandidate, rows, dim), .dstate = dold, .dgates = dgates,
      });
  rvm_cross_transformer_backward (b, &core->transformer, encoded, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = batch, .pictures = 1, .rows = tokens, .context_rows = tokens }, scratch->dcandidate, dencoded,
      scratch->dcontext, scratch->dkeys_values);
  rvm_gate_context_backward (b->queue, &(RvmGateContextBackward){
                                           .gates = gates, .state = old, .scale = core->state_scale,
                                           .dcontext = rvm_tensor (scratch->dcontext, rows, dim), .dgates = dgates, .dstate = dold,
                                           .dscale = scale->gradient, .accumulate = !scale->empty, .scratch = b->partial,
                                           .epsilon = RVM_STATE_NORM_EPSILON,
                                       });
  scale->empty = FALSE;
  gate_backward (b, core->input_gates, encoded, scratch->dgates, dencoded, dim, rows);
  gate_backward (b, core->state_gates, state, scratch->dgates, dstate, dim, rows);
}

void
rvm_decoder_backward (const RvmBackward *b, const RvmDecoder *decoder, const RvmDecoderInput *input, const RvmBuffer *visible_rows,
    const RvmDecoderActivations *act, const RvmDecoderBackward *scratch, const RvmBuffer *dpredicted, RvmBuffer *dfeatures,
    RvmBuffer *dencoded)
{
  const guint pictures = input->samples * input->targets, dim = decoder->dim, context_rows = input->sources * input->tokens;
  RvmVectorGradient *gap_kernel = rvm_gradients_find_vector (b->gradients, decoder->gap_kernel);
  const RvmTensor dtokens = rvm_tensor (scratch->dtokens, pictures * input->tokens, dim);
  const RvmTensor sums = rvm_tensor (scratch->sums, 2 * pictures, dim); /* over patches, over masked patches */

  rvm_linear_backward (b, decoder->detokenize, act->transformer.out, dpredicted, scratch->dout, pictures * input->tokens);
  rvm_cross_transformer_backward (b, &decoder->transformer, act->tokens, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = input->samples, .pictures = input->targets, .rows = input->tokens, .context_rows = context_rows },
      scratch->dout, scratch->dtokens, scratch->dcontext, scratch->dkeys_values);

  rvm_decoder_token_sums (b->queue, dtokens, input->slot, sums);
  add_row_sum (b, decoder->gap_bias, scratch->sums, dim, 1, 2 * pictures, 0, pictures);
  add_row_sum (b, decoder->mask_token, scratch->sums, dim, 1, 2 * pictures, pictures, pictures);
  rvm_sum_by_gap (b->queue, rvm_tensor_rows (sums, 0, pictures), input->gap, rvm_tensor (gap_kernel->gradient, decoder->gaps, dim),
      !gap_kernel->empty);
  gap_kernel->empty = FALSE;

  rvm_gather_rows (b->queue, dtokens, visible_rows, rvm_tensor (scratch->dembedded, pictures * input->kept, dim));
  rvm_linear_backward (b, decoder->embed, input->features, scratch->dcontext, dfeatures, input->samples * context_rows);
  rvm_linear_backward (b, decoder->embed, input->encoded, scratch->dembedded, dencoded, pictures * input->kept);
}
