/* Encoder, core, decoder and tokens, from their output to their input. */
#include "network.h"

void
rvm_cross_transformer_backward (const RvmBackward *b, const RvmCrossTransformer *transformer, const RvmBuffer *x, const RvmBuffer *context,
    const RvmCrossTransformerActivations *act, const RvmCrossShape *shape, const RvmBuffer *dout, RvmBuffer *dx, RvmBuffer *dcontext,
    RvmBuffer *dprojected)
{
  const guint pictures = shape->contexts * shape->pictures, rows = shape->rows, last = transformer->n_blocks - 1;

  rvm_norm_backward (b, &transformer->norm, act->blocks[last].self.out, dout, dx, FALSE, pictures * rows);
  for (guint i = last + 1; i-- > 0;) {
    const RvmCrossBlock *block = &transformer->blocks[i];
    const RvmCrossBlockActivations *from = &act->blocks[i];
    const RvmContext kv = rvm_cross_transformer_get_context (transformer, i, act->projected, shape->context_rows);

    rvm_self_attention_backward (b, &block->self, from->mlp.out, &from->self, dx, pictures, rows);
    rvm_mlp_backward (b, &block->mlp, from->cross.out, &from->mlp, dx, pictures * rows);
    rvm_cross_attention_backward (b, &block->cross, i ? act->blocks[i - 1].self.out : x, &kv, dprojected, &from->cross, dx,
        shape->contexts, shape->pictures * rows);
  }
  rvm_linear_backward (b, transformer->context, context, dprojected, dcontext, shape->contexts * shape->context_rows);
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

/* Adds the sum of @rows rows of each picture, from row @first of it on, to the gradient of a vector. */
static void
add_row_sum (const RvmBackward *b, const RvmBuffer *vector, const RvmBuffer *x, guint dim, guint pictures, guint picture_rows, guint first,
    guint rows)
{
  RvmVectorGradient *to = rvm_gradients_find_vector (b->gradients, vector);

  rvm_sum_rows (b->queue,
      &(RvmRowSum){
          .x = x, .offset = first * dim, .stride = dim, .pictures = pictures, .picture_rows = picture_rows, .rows = rows,
          .out = to->gradient, .dim = dim, .accumulate = !to->empty,
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
gate_backward (const RvmBackward *b, const RvmGemmWeights *weights, const RvmBuffer *x, const RvmBuffer *dgates, RvmBuffer *dx, guint dim,
    guint rows)
{
  RvmGemmGradient *gradient = rvm_gradients_find_linear (b->gradients, weights);

  rvm_gemm_gradient_add (b->queue, gradient, x, 0, dim, dgates, 0, 2 * dim, rows);
  rvm_gemm (b->queue, rvm_gemm_gradient_get_transposed (gradient),
      &(RvmGemm){ .a = dgates, .a_stride = 2 * dim, .out = dx, .out_stride = dim, .m = rows, .residual = dx });
}

void
rvm_core_backward (const RvmBackward *b, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, const RvmCoreBackward *scratch, const RvmBuffer *dnext, RvmBuffer *dstate, RvmBuffer *dencoded,
    guint batch, guint tokens)
{
  const guint rows = batch * tokens, dim = core->dim;
  RvmVectorGradient *scale = rvm_gradients_find_vector (b->gradients, core->state_scale);

  rvm_state_update_backward (b->queue, act->gates, state, act->transformer.out, dnext, scratch->dcandidate, dstate, scratch->dgates, rows,
      dim);
  rvm_cross_transformer_backward (b, &core->transformer, encoded, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = batch, .pictures = 1, .rows = tokens, .context_rows = tokens }, scratch->dcandidate, dencoded,
      scratch->dcontext, scratch->dprojected);
  rvm_gate_context_backward (b->queue, &(RvmGateContextBackward){
                                           .gates = act->gates, .state = state, .scale = core->state_scale,
                                           .dcontext = scratch->dcontext, .dgates = scratch->dgates, .dstate = dstate,
                                           .dscale = scale->gradient, .accumulate = !scale->empty, .scratch = b->partial,
                                           .rows = rows, .dim = dim, .epsilon = RVM_STATE_NORM_EPSILON,
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

  rvm_linear_backward (b, decoder->detokenize, act->transformer.out, dpredicted, scratch->dout, pictures * input->tokens);
  rvm_cross_transformer_backward (b, &decoder->transformer, act->tokens, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = input->samples, .pictures = input->targets, .rows = input->tokens, .context_rows = context_rows },
      scratch->dout, scratch->dtokens, scratch->dcontext, scratch->dprojected);

  rvm_decoder_token_sums (b->queue, scratch->dtokens, input->slot, scratch->sums, pictures, input->tokens, dim);
  add_row_sum (b, decoder->gap_bias, scratch->sums, dim, 1, pictures, 0, pictures);
  add_row_sum (b, decoder->mask_token, scratch->sums, dim, 1, pictures, pictures, pictures);
  rvm_sum_by_gap (b->queue, scratch->sums, input->gap, gap_kernel->gradient, pictures, decoder->gaps, dim, !gap_kernel->empty);
  gap_kernel->empty = FALSE;

  rvm_gather_rows (b->queue, scratch->dtokens, visible_rows, scratch->dembedded, pictures * input->kept, dim);
  rvm_linear_backward (b, decoder->embed, input->features, scratch->dcontext, dfeatures, input->samples * context_rows);
  rvm_linear_backward (b, decoder->embed, input->encoded, scratch->dembedded, dencoded, pictures * input->kept);
}
