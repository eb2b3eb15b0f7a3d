/* Sizes of a training step: which batches are possible, and the device memory of all activations and gradients. */
#include "kernels/error.h"
#include "kernels/ops/correspondence.h"
#include "step_private.h"

RvmStepShape
rvm_step_shape_of_recipe (const RvmRecipe *recipe, guint samples)
{
  const guint most = recipe->side_max / recipe->model.patch;

  return (RvmStepShape){
    .rows = recipe->height / recipe->model.patch, .columns = recipe->width / recipe->model.patch, .samples = samples,
    .sources = recipe->sources_max, .targets = recipe->targets, .kept = rvm_recipe_get_kept (recipe), .most_patches = most * most,
    .context = recipe->context, .context_position = recipe->context_position, .grid_code = recipe->side_max != 0,
    .places = recipe->places, .objects = recipe->objects, .places_temperature = recipe->places_temperature,
  };
}

RvmStepShape
rvm_step_shape_of_batch (const RvmStepShape *shape, const RvmBatch *batch)
{
  RvmStepShape result = *shape;

  result.samples = batch->samples ? batch->samples : shape->samples;
  result.rows = batch->rows ? batch->rows : shape->rows;
  result.columns = batch->columns ? batch->columns : shape->columns;
  result.kept = batch->kept ? batch->kept : shape->kept;
  return result;
}

/* Of larger pictures one patch more may be visible, in proportion: the share is rounded down, which counts more in a small picture. */
guint64
rvm_step_most_kept (const RvmStepShape *shape)
{
  return (guint64) shape->kept + 1 + (shape->most_patches ? 1 : 0);
}

static void
take_forward (RvmStep *step, RvmArena *arena, const RvmConfig *config)
{
  const RvmStepShape *shape = &step->shape;
  const guint64 patches = (guint64) shape->rows * shape->columns, pixels = (guint64) config->patch * config->patch * 3;
  const guint64 tokens = patches + 1, kept = rvm_step_most_kept (shape), dim = config->encoder.dim, wide = config->decoder.dim;
  const guint64 most = MAX (patches, shape->most_patches);
  const guint64 sources = (guint64) shape->samples * shape->sources, targets = (guint64) shape->samples * shape->targets;

  step->position = rvm_arena_take (arena, most, dim, "positional codes");
  step->table = rvm_arena_take (arena, most + 1, dim, "positional table");
  step->decoder_position = rvm_arena_take (arena, most, wide, "positional codes");
  step->source = rvm_arena_take_bytes (arena, sources * patches * pixels, "source frames");
  step->source_patches = rvm_arena_take (arena, sources * tokens, pixels, "source patches");
  step->source_tokens = rvm_arena_take (arena, sources * tokens, dim, "source tokens");
  rvm_encoder_activations_take (&step->source_encoder, arena, &config->encoder, NULL, sources * tokens);
  step->encoded = rvm_arena_alloc0 (arena, shape->sources * sizeof *step->encoded);
  step->states = rvm_arena_alloc0 (arena, (shape->sources + 1) * sizeof *step->states);
  step->core = rvm_arena_alloc0 (arena, shape->sources * sizeof *step->core);
  for (guint t = 0; t < shape->sources; t++) {
    step->encoded[t] = rvm_arena_take (arena, shape->samples * tokens, dim, "encoded frame");
    rvm_core_activations_take (&step->core[t], arena, &config->core, NULL, shape->samples * tokens);
  }
  for (guint t = 0; t <= shape->sources; t++)
    step->states[t] = rvm_arena_take (arena, shape->samples * tokens, dim, "state");
  step->features = rvm_arena_take (arena, sources * tokens, dim, "features");

  step->target = rvm_arena_take_bytes (arena, targets * patches * pixels, "target frames");
  step->visible = rvm_arena_take (arena, targets, kept, "visible tokens");
  step->visible_rows = rvm_arena_take (arena, targets, kept, "visible tokens");
  step->slot = rvm_arena_take (arena, targets, tokens, "slots of tokens");
  step->gap = rvm_arena_take (arena, targets, 1, "gaps");
  step->target_patches = rvm_arena_take (arena, targets * kept, pixels, "target patches");
  step->added = rvm_arena_take (arena, targets * kept, dim, "positional codes");
  step->target_tokens = rvm_arena_take (arena, targets * kept, dim, "target tokens");
  rvm_encoder_activations_take (&step->target_encoder, arena, &config->encoder, NULL, targets * kept);
  step->decoder.context = rvm_arena_take (arena, sources * tokens, wide, "decoder context");
  step->decoder.embedded = rvm_arena_take (arena, targets * kept, wide, "embedded tokens");
  step->decoder.tokens = rvm_arena_take (arena, targets * tokens, wide, "decoder tokens");
  rvm_cross_transformer_activations_take (&step->decoder.transformer, arena, &config->decoder, NULL, targets * tokens, sources * tokens);
  step->decoder.predicted = rvm_arena_take (arena, targets * tokens, pixels, "reconstructed patches");
  step->row_loss = rvm_arena_take (arena, targets, tokens, "losses");
}

static void
take_backward (RvmStep *step, RvmArena *arena, const RvmConfig *config)
{
  const RvmStepShape *shape = &step->shape;
  const guint64 tokens = (guint64) shape->rows * shape->columns + 1, kept = rvm_step_most_kept (shape);
  const guint64 sources = (guint64) shape->samples * shape->sources, targets = (guint64) shape->samples * shape->targets;
  const guint64 dim = config->encoder.dim, wide = config->decoder.dim, pixels = (guint64) config->patch * config->patch * 3;
  const RvmTransformerConfig *const stacks[] = { &config->encoder, &config->encoder, &config->core, &config->decoder };
  const guint64 rows[] = { sources * tokens, targets * kept, shape->samples * tokens, targets * tokens };

  rvm_backward_take (&step->backward, arena, stacks, rows, G_N_ELEMENTS (rows));
  step->core_backward = (RvmCoreBackward){
    .dcandidate = rvm_arena_take (arena, shape->samples * tokens, dim, "gradient of candidate"),
    .dcontext = rvm_arena_take (arena, shape->samples * tokens, dim, "gradient of context"),
    .dgates = rvm_arena_take (arena, shape->samples * tokens, 2 * dim, "gradient of gates"),
    .dkeys_values = rvm_arena_take (arena, shape->samples * tokens, 2 * dim * config->core.layers, "gradient of keys and values"),
  };
  step->decoder_backward = (RvmDecoderBackward){
    .dout = rvm_arena_take (arena, targets * tokens, wide, "gradient of decoder"),
    .dtokens = rvm_arena_take (arena, targets * tokens, wide, "gradient of decoder tokens"),
    .dcontext = rvm_arena_take (arena, sources * tokens, wide, "gradient of decoder context"),
    .dembedded = rvm_arena_take (arena, targets * kept, wide, "gradient of embedded tokens"),
    .dkeys_values = rvm_arena_take (arena, sources * tokens, 2 * wide * config->decoder.layers, "gradient of keys and values"),
    .sums = rvm_arena_take (arena, 2 * targets, wide, "token sums"),
  };
  step->dpredicted = rvm_arena_take (arena, targets * tokens, pixels, "gradient of patches");
  step->dfeatures = rvm_arena_take (arena, sources * tokens, dim, "gradient of features");
  step->dstate = rvm_arena_take (arena, shape->samples * tokens, dim, "gradient of state");
  step->dencoded = rvm_arena_take (arena, shape->samples * tokens, dim, "gradient of encoded frame");
  step->dsource = rvm_arena_take (arena, sources * tokens, dim, "gradient of source frames");
  step->dtarget = rvm_arena_take (arena, targets * kept, dim, "gradient of target frames");
  step->dtokens = rvm_arena_take (arena, MAX (sources * tokens, targets * kept), dim, "gradient of tokens");
}

static void
take_places (RvmStep *step, RvmArena *arena, const RvmConfig *config)
{
  const RvmStepShape *shape = &step->shape;
  const guint64 patches = (guint64) shape->rows * shape->columns, queries = patches * shape->samples, dim = config->encoder.dim;
  const guint64 most = MAX (patches, shape->most_patches);

  if (shape->places <= 0 && shape->objects <= 0)
    return;
  step->match = rvm_arena_take (arena, queries, 1, "places of patches");
  if (shape->objects > 0) {
    step->object = rvm_arena_take (arena, 2 * queries, 1, "objects of patches");
    step->object_loss = rvm_arena_take (arena, queries, 1, "losses of objects");
  }
  step->place_loss = rvm_arena_take (arena, queries, 1, "losses of places");
  step->place_found = rvm_arena_take (arena, queries, 1, "places that were found");
  /* Larger pictures are fewer, but each of their patches has more others. */
  step->place_scratch = rvm_arena_take (arena, rvm_correspondence_scratch (shape->samples, patches + 1, dim) + 2 * queries * (most - patches), 1,
      "products of patches");
  step->dfirst = rvm_arena_take (arena, shape->samples * (patches + 1), dim, "gradient of the first state");
  step->dlast = rvm_arena_take (arena, shape->samples * (patches + 1), dim, "gradient of the last state");
}

void
rvm_step_take (RvmStep *step, RvmArena *arena, const RvmConfig *config)
{
  take_forward (step, arena, config);
  take_backward (step, arena, config);
  take_places (step, arena, config);
}

guint64
rvm_step_predict_memory (const RvmConfig *config, const RvmStepShape *shape)
{
  g_autoptr (RvmArena) arena = rvm_arena_new (NULL);
  RvmStep step = { .shape = *shape };

  rvm_step_take (&step, arena, config);
  return rvm_arena_get_bytes (arena);
}

/* Kernels use 32-bit indices. */
gboolean
rvm_step_check_shape (const RvmConfig *config, const RvmStepShape *shape, GError **error)
{
  const guint64 patches = (guint64) shape->rows * shape->columns, tokens = patches + 1;
  const guint64 pictures = (guint64) shape->samples * MAX (shape->sources, shape->targets);
  const guint64 widest = MAX (MAX (3 * (guint64) MAX (config->encoder.dim, config->decoder.dim), 3 * (guint64) config->patch * config->patch),
      MAX (MAX (MAX (config->encoder.mlp, config->core.mlp), config->decoder.mlp),
          2 * (guint64) MAX (config->core.dim * config->core.layers, config->decoder.dim * config->decoder.layers)));

  if (patches == 0 || shape->samples == 0 || shape->sources == 0 || shape->targets == 0) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "a batch needs at least one patch, sample, source and target frame");
    return FALSE;
  }
  if (shape->kept < 1 || shape->kept >= patches) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "%u of %" G_GUINT64_FORMAT " patches visible: expected at least one visible and one masked", shape->kept, patches);
    return FALSE;
  }
  if (tokens > G_MAXUINT32 / widest || pictures > G_MAXUINT32 / (tokens * widest)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "a batch of %u samples of %u x %u patches is too large", shape->samples,
        shape->columns, shape->rows);
    return FALSE;
  }
  return TRUE;
}
