/* A training step: the forward pass of model/net/ on a batch, its loss, and the backward pass (backward/). */
#include <math.h>

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "kernels/ops/correspondence.h"
#include "kernels/ops/loss.h"
#include "step_private.h"

static gboolean
write_positions (RvmStep *step, GError **error)
{
  const guint patches = step->tokens - 1, wide = step->model->config.decoder.dim;
  g_autofree float *position = g_new (float, (gsize) patches * step->dim), *code = g_new (float, (gsize) patches * wide);

  rvm_position_table (step->shape.rows, step->shape.columns, step->dim, position);
  /* As published, the decoder numbers patches along the rows, so that a number means another place in every grid. With batches of several grids it is
   * given the encoder's positional encoding, which is the same for the published grid. */
  if (step->most.grid_code)
    rvm_position_table (step->shape.rows, step->shape.columns, wide, code);
  else
    rvm_position_code (patches, wide, code);
  rvm_queue_write (step->queue, step->position, 0, position, (gsize) patches * step->dim * sizeof (float));
  rvm_queue_write (step->queue, step->decoder_position, 0, code, (gsize) patches * wide * sizeof (float));
  rvm_queue_zero (step->queue, step->states[0], 0, rvm_buffer_get_size (step->states[0]));
  return rvm_queue_finish (step->queue, error);
}

/* Uses the sizes of @batch, if they fit into the allocated memory. */
static gboolean
adopt (RvmStep *step, const RvmBatch *batch, GError **error)
{
  const RvmStepShape *most = &step->most, shape = rvm_step_shape_of_batch (most, batch);
  const guint64 patches = (guint64) shape.rows * shape.columns, room = (guint64) most->rows * most->columns;
  const gboolean moved = shape.rows != step->shape.rows || shape.columns != step->shape.columns;

  if (patches > MAX (room, most->most_patches) || shape.samples > most->samples || patches * shape.samples > room * most->samples
      || shape.kept < 1 || shape.kept >= patches || shape.samples * ((guint64) shape.kept + 1) > most->samples * rvm_step_most_kept (most)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "a batch of %u samples of %u x %u patches, %u visible, does not fit into the step's",
        shape.samples, shape.columns, shape.rows, shape.kept);
    return FALSE;
  }
  step->shape = shape;
  step->tokens = patches + 1;
  step->kept = shape.kept + 1;
  if (!moved)
    return TRUE;
  if (!write_positions (step, error))
    return FALSE;
  rvm_tokenizer_make_table (step->queue, &step->model->tokenizer, step->position, step->table, step->tokens - 1);
  return TRUE;
}

RvmStep *
rvm_step_new (RvmModel *model, const RvmStepShape *shape, gboolean all_patches, gboolean profile, GError **error)
{
  g_autoptr (RvmStep) step = NULL;
  const gsize pictures = (gsize) shape->samples * shape->targets;

  g_return_val_if_fail (model->parameters != NULL, NULL);

  if (!rvm_step_check_shape (&model->config, shape, error))
    return NULL;
  step = g_new0 (RvmStep, 1);
  step->model = rvm_model_ref (model);
  step->most = step->shape = *shape;
  step->tokens = shape->rows * shape->columns + 1;
  step->kept = shape->kept + 1;
  step->dim = model->config.encoder.dim;
  step->all_patches = all_patches;
  step->visible_host = g_new (guint32, pictures * rvm_step_most_kept (shape));
  step->rows_host = g_new (guint32, pictures * rvm_step_most_kept (shape));
  step->slot_host = g_new (guint32, pictures * step->tokens);
  step->row_loss_host = g_new (float, pictures * step->tokens);
  step->place_loss_host = g_new (float, (gsize) shape->samples * step->tokens);
  step->object_loss_host = g_new (float, (gsize) shape->samples * step->tokens);
  step->place_found_host = g_new (guint32, (gsize) shape->samples * step->tokens);
  step->queue = rvm_queue_new (model->device, profile, error);
  step->gradients = step->queue ? rvm_gradients_new (model->device, model->parameters, error) : NULL;
  if (step->gradients == NULL)
    return NULL;
  step->arena = rvm_arena_new (model->device);
  rvm_step_take (step, step->arena, &model->config);
  if (!rvm_arena_finish (step->arena, error) || !write_positions (step, error))
    return NULL;
  step->backward.queue = step->queue;
  step->backward.gradients = step->gradients;
  return g_steal_pointer (&step);
}

void
rvm_step_free (RvmStep *step)
{
  if (step == NULL)
    return;
  g_clear_pointer (&step->queue, rvm_queue_free);
  rvm_gradients_free (step->gradients);
  g_clear_pointer (&step->arena, rvm_arena_free);
  g_free (step->visible_host);
  g_free (step->rows_host);
  g_free (step->slot_host);
  g_free (step->row_loss_host);
  g_free (step->place_loss_host);
  g_free (step->object_loss_host);
  g_free (step->place_found_host);
  rvm_model_unref (step->model);
  g_free (step);
}

RvmQueue *
rvm_step_get_queue (RvmStep *step)
{
  return step->queue;
}

RvmGradients *
rvm_step_get_gradients (RvmStep *step)
{
  return step->gradients;
}

void
rvm_step_set_reduce (RvmStep *step, RvmReduce *reduce)
{
  step->reduce = reduce;
}

/* How many of a sample's last states the decoder sees. */
static guint
count_seen (const RvmStep *step, guint sources)
{
  return step->shape.context ? MIN (step->shape.context, sources) : sources;
}

static RvmDecoderInput
describe_decoder_input (const RvmStep *step, guint sources)
{
  return (RvmDecoderInput){
    .features = step->features, .encoded = step->target_encoder.out, .slot = step->slot, .gap = step->gap,
    .position = step->decoder_position, .context_position = step->shape.context_position,
    .samples = step->shape.samples, .sources = count_seen (step, sources), .targets = step->shape.targets, .tokens = step->tokens,
    .kept = step->kept,
  };
}

guint64
rvm_step_count_flops (const RvmStep *step, guint sources)
{
  const RvmModel *model = step->model;
  const guint64 pictures = (guint64) step->shape.samples * sources, targets = (guint64) step->shape.samples * step->shape.targets;
  const RvmDecoderInput input = describe_decoder_input (step, sources);

  return pictures * (rvm_tokenizer_flops (&model->tokenizer, step->tokens - 1) + rvm_encoder_flops (&model->encoder, step->tokens)
             + rvm_core_flops (&model->core, step->tokens))
      + targets * (rvm_tokenizer_flops (&model->tokenizer, step->shape.kept) + rvm_encoder_flops (&model->encoder, step->kept))
      + rvm_decoder_flops (&model->decoder, &input, step->dim);
}

void
rvm_step_refresh (RvmStep *step)
{
  rvm_gradients_refresh (step->queue, step->gradients);
  rvm_tokenizer_make_table (step->queue, &step->model->tokenizer, step->position, step->table, step->tokens - 1);
}

/* Computes the tables of indices from the list of visible patches. */
static gboolean
index_visible (RvmStep *step, const RvmBatch *batch, GError **error)
{
  const guint pictures = step->shape.samples * step->shape.targets;

  for (gsize i = 0; i < (gsize) pictures * step->tokens; i++)
    step->slot_host[i] = RVM_SLOT_HIDDEN;
  for (guint b = 0; b < pictures; b++) {
    guint32 *slot = step->slot_host + (gsize) b * step->tokens;

    if (batch->gaps[b] >= step->model->config.deltas) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "target frame %u: gap %u, expected less than %u", b, batch->gaps[b],
          step->model->config.deltas);
      return FALSE;
    }
    for (guint i = 0; i < step->kept; i++) {
      const guint32 token = i ? 1 + batch->visible[(gsize) b * step->shape.kept + i - 1] : 0;

      if (token >= step->tokens || slot[token] != RVM_SLOT_HIDDEN) {
        g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "target frame %u: visible patch %u is out of range or named twice", b, token - 1);
        return FALSE;
      }
      slot[token] = i;
      step->visible_host[(gsize) b * step->kept + i] = token;
      step->rows_host[(gsize) b * step->kept + i] = b * step->tokens + token;
    }
  }
  return TRUE;
}

static void
upload (RvmStep *step, const RvmBatch *batch)
{
  const RvmStepShape *shape = &step->shape;
  const gsize patch = step->model->config.patch, picture = (gsize) shape->rows * shape->columns * patch * patch * 3;
  const gsize targets = (gsize) shape->samples * shape->targets;

  rvm_queue_write (step->queue, step->source, 0, batch->source, shape->samples * batch->sources * picture);
  rvm_queue_write (step->queue, step->target, 0, batch->target, targets * picture);
  rvm_queue_write (step->queue, step->gap, 0, batch->gaps, targets * sizeof (guint32));
  rvm_queue_write (step->queue, step->visible, 0, step->visible_host, targets * step->kept * sizeof (guint32));
  rvm_queue_write (step->queue, step->visible_rows, 0, step->rows_host, targets * step->kept * sizeof (guint32));
  rvm_queue_write (step->queue, step->slot, 0, step->slot_host, targets * step->tokens * sizeof (guint32));
}

/* One frame of every sample, and @n frames of every sample. */
static RvmTensor
frame_of (const RvmStep *step, const RvmBuffer *frame)
{
  return rvm_tensor (frame, step->shape.samples * step->tokens, step->dim);
}

static RvmTensor
frames_of (const RvmStep *step, const RvmBuffer *frames, guint n)
{
  return rvm_tensor (frames, step->shape.samples * n * step->tokens, step->dim);
}

static void
forward (RvmStep *step, guint sources)
{
  const RvmModel *model = step->model;
  const RvmStepShape *shape = &step->shape;
  const guint targets = shape->samples * shape->targets, hidden = sources - count_seen (step, sources);
  const RvmDecoderInput input = describe_decoder_input (step, sources);

  rvm_tokenizer_forward (step->queue, &model->tokenizer, step->table, step->source, step->source_patches, step->source_tokens,
      shape->samples * sources, shape->rows, shape->columns);
  rvm_encoder_forward (step->queue, &model->encoder, step->source_tokens, &step->source_encoder, shape->samples * sources, step->tokens);
  for (guint t = 0; t < sources; t++) {
    rvm_get_frame (step->queue, frames_of (step, step->source_encoder.out, sources), RVM_TENSOR_NONE, frame_of (step, step->encoded[t]),
        shape->samples, sources, t);
    rvm_core_forward (step->queue, &model->core, step->encoded[t], step->states[t], &step->core[t], step->states[t + 1], shape->samples,
        step->tokens);
    if (t >= hidden)
      rvm_put_frame (step->queue, frame_of (step, step->states[t + 1]), frames_of (step, step->features, sources - hidden), shape->samples,
          sources - hidden, t - hidden);
  }
  rvm_tokenizer_forward_visible (step->queue, &model->tokenizer, step->table,
      &(RvmVisibleTokens){
          .pixels = step->target, .visible = step->visible, .patches = step->target_patches, .added = step->added,
          .out = step->target_tokens, .batch = targets, .kept = step->kept, .rows = shape->rows, .columns = shape->columns,
      });
  rvm_encoder_forward (step->queue, &model->encoder, step->target_tokens, &step->target_encoder, targets, step->kept);
  rvm_decoder_forward (step->queue, &model->decoder, &input, &step->decoder);
}

/* The number of values that the mean squared error is taken over. */
static double
count_values (const RvmStep *step, gboolean all)
{
  const double patches = step->tokens - 1 - (all ? 0 : step->shape.kept);

  return patches * step->shape.samples * step->shape.targets * step->model->decoder.pixels;
}

static void
compute_loss (RvmStep *step, double weight)
{
  const guint pictures = step->shape.samples * step->shape.targets, rows = pictures * step->tokens, pixels = step->model->decoder.pixels;

  rvm_reconstruction_loss (step->queue, &(RvmReconstructionLoss){
                                            .predicted = rvm_tensor (step->decoder.predicted, rows, pixels), .pixels = step->target,
                                            .slot = step->slot, .all = step->all_patches,
                                            .scale = 2 * weight / count_values (step, step->all_patches),
                                            .dpredicted = rvm_tensor (step->dpredicted, rows, pixels), .row_loss = step->row_loss,
                                            .pictures = pictures,
                                            .grid = { step->shape.rows, step->shape.columns, step->model->config.patch },
                                        });
  rvm_queue_read (step->queue, step->row_loss, 0, step->row_loss_host, rvm_buffer_get_size (step->row_loss));
}

/* The states after the first and the last source frame. */
static void
compute_places (RvmStep *step, const RvmBatch *batch, double weight)
{
  const guint samples = step->shape.samples, patches = step->tokens - 1, queries = samples * patches;

  rvm_queue_write (step->queue, step->match, 0, batch->match, queries * sizeof (guint32));
  if (step->object)
    rvm_queue_write (step->queue, step->object, 0, batch->object, 2 * queries * sizeof (guint32));
  /* All patches share the weight, whether they have a match or not: so it does not matter how a batch is divided among processes. */
  rvm_correspondence_loss (step->queue, &(RvmCorrespondence){
                                            .query = frame_of (step, step->states[batch->sources]), .key = frame_of (step, step->states[1]),
                                            .match = step->match, .temperature = step->most.places_temperature,
                                            .scale = weight * step->most.places / queries, .dquery = frame_of (step, step->dlast),
                                            .dkey = frame_of (step, step->dfirst), .row_loss = step->place_loss, .found = step->place_found,
                                            .object = step->object, .object_scale = weight * step->most.objects / queries,
                                            .object_loss = step->object_loss,
                                            .scratch = step->place_scratch, .samples = samples, .tokens = step->tokens,
                                        });
  rvm_queue_read (step->queue, step->place_loss, 0, step->place_loss_host, queries * sizeof (float));
  if (step->object)
    rvm_queue_read (step->queue, step->object_loss, 0, step->object_loss_host, queries * sizeof (float));
  rvm_queue_read (step->queue, step->place_found, 0, step->place_found_host, queries * sizeof (guint32));
}

/* dstate += dplaces */
static void
add_to_dstate (RvmStep *step, const RvmBuffer *dplaces)
{
  const RvmTensor dstate = frame_of (step, step->dstate);

  rvm_get_frame (step->queue, frame_of (step, dplaces), dstate, dstate, step->shape.samples, 1, 0);
}

static void
on_block_done (gpointer user_data, guint block)
{
  RvmStep *step = user_data;

  rvm_reduce_block_done (step->reduce, step->queue, block);
}

/* Gradients are completed in this order: decoder, core, encoder from its last block to its first, tokens. */
static void
backward (RvmStep *step, guint sources)
{
  const RvmModel *model = step->model;
  RvmBackward *b = &step->backward;
  const guint samples = step->shape.samples, targets = samples * step->shape.targets, hidden = sources - count_seen (step, sources);
  const RvmDecoderInput input = describe_decoder_input (step, sources);

  rvm_decoder_backward (b, &model->decoder, &input, step->visible_rows, &step->decoder, &step->decoder_backward, step->dpredicted,
      step->dfeatures, step->dtarget);
  if (step->reduce)
    rvm_reduce_decoder_done (step->reduce, step->queue);
  rvm_encoder_backward (b, &model->encoder, step->target_tokens, &step->target_encoder, step->dtarget, step->dtokens, targets, step->kept);
  rvm_tokenizer_backward (b, &model->tokenizer, step->target_patches, step->dtokens, targets, step->kept);
  for (guint t = sources; t-- > 0;) {
    const RvmTensor dstate = frame_of (step, step->dstate);

    if (t >= hidden)
      rvm_get_frame (step->queue, frames_of (step, step->dfeatures, sources - hidden), t + 1 < sources ? dstate : RVM_TENSOR_NONE, dstate, samples,
          sources - hidden, t - hidden);
    if (step->has_places && t + 1 == sources)
      add_to_dstate (step, step->dlast);
    if (step->has_places && t == 0)
      add_to_dstate (step, step->dfirst);
    rvm_core_backward (b, &model->core, step->encoded[t], step->states[t], &step->core[t], &step->core_backward, step->dstate,
        step->dstate, step->dencoded, samples, step->tokens);
    rvm_put_frame (step->queue, frame_of (step, step->dencoded), frames_of (step, step->dsource, sources), samples, sources, t);
  }
  if (step->reduce)
    rvm_reduce_core_done (step->reduce, step->queue);
  b->block_done = step->reduce ? on_block_done : NULL;
  b->user_data = step;
  rvm_encoder_backward (b, &model->encoder, step->source_tokens, &step->source_encoder, step->dsource, step->dtokens, samples * sources,
      step->tokens);
  b->block_done = NULL;
  rvm_tokenizer_backward (b, &model->tokenizer, step->source_patches, step->dtokens, samples * sources, step->tokens);
}

static void
sum_places (const RvmStep *step, const guint32 *match, RvmLoss *loss)
{
  const guint queries = step->shape.samples * (step->tokens - 1);
  double sum = 0, found = 0, objects = 0;

  loss->matched = loss->known = 0;
  for (guint i = 0; step->has_places && i < queries; i++) {
    if (match[i] != RVM_MATCH_NONE) {
      loss->matched++;
      sum += step->place_loss_host[i];
      found += step->place_found_host[i];
    }
    if (step->object && step->object_loss_host[i] != -1) {
      loss->known++;
      objects += step->object_loss_host[i];
    }
  }
  loss->places = loss->matched ? sum / loss->matched : 0;
  loss->found = loss->matched ? found / loss->matched : 0;
  loss->objects = loss->known ? objects / loss->known : 0;
}

static gboolean
finish (RvmStep *step, const RvmBatch *batch, RvmLoss *loss, GError **error)
{
  const gsize rows = (gsize) step->shape.samples * step->shape.targets * step->tokens;
  double masked = 0, all = 0;

  if (!rvm_queue_finish (step->queue, error))
    return FALSE;
  for (gsize i = 0; i < rows; i++) {
    all += step->row_loss_host[i];
    if (step->slot_host[i] == RVM_SLOT_HIDDEN)
      masked += step->row_loss_host[i];
  }
  loss->all = all / count_values (step, TRUE);
  loss->masked = masked / count_values (step, FALSE);
  sum_places (step, batch->match, loss);
  if (!isfinite (loss->all) || !isfinite (loss->places) || !isfinite (loss->objects)) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_MODEL, "the loss has become NaN or infinite");
    return FALSE;
  }
  return TRUE;
}

static gboolean
begin (RvmStep *step, const RvmBatch *batch, double weight, GError **error)
{
  g_return_val_if_fail (batch->sources >= 1 && batch->sources <= step->shape.sources, FALSE);

  if (!adopt (step, batch, error) || !index_visible (step, batch, error))
    return FALSE;
  step->last_sources = batch->sources;
  step->has_places = (step->most.places > 0 || step->most.objects > 0) && batch->match && batch->sources > 1;
  upload (step, batch);
  forward (step, batch->sources);
  compute_loss (step, weight);
  if (step->has_places)
    compute_places (step, batch, weight);
  return TRUE;
}

gboolean
rvm_step_forward (RvmStep *step, const RvmBatch *batch, RvmLoss *loss, GError **error)
{
  return begin (step, batch, 1, error) && finish (step, batch, loss, error);
}

gboolean
rvm_step_backward (RvmStep *step, const RvmBatch *batch, double weight, RvmLoss *loss, GError **error)
{
  if (!begin (step, batch, weight, error))
    return FALSE;
  backward (step, batch->sources);
  if (step->reduce && !rvm_reduce_finish (step->reduce, step->queue, error))
    return FALSE;
  return finish (step, batch, loss, error);
}

gboolean
rvm_step_read (RvmStep *step, float *predicted, float *features, GError **error)
{
  const gsize rows = (gsize) step->shape.samples * count_seen (step, step->last_sources) * step->tokens;

  if (predicted)
    rvm_queue_read (step->queue, step->decoder.predicted, 0, predicted, rvm_buffer_get_size (step->decoder.predicted));
  if (features)
    rvm_queue_read (step->queue, step->features, 0, features, rows * step->dim * sizeof (float));
  return rvm_queue_finish (step->queue, error);
}
