/* One video: its state, its scratch memory, and what is done with a frame, from pixels to features. */
#include "stream.h"

#include <math.h>
#include <string.h>

#include "model/net/activations.h"
#include "model_private.h"

struct _RvmStream {
  RvmModel *model;
  RvmQueue *queue;
  guint rows, columns, tokens, dim;
  gboolean keep;
  gboolean cold;       /* the state will be set to zeros before the next frame */
  RvmBuffer *table;    /* class token and positional encoding of this grid */
  RvmBuffer *state;    /* (tokens, dim) */
  RvmArena *arena;     /* owns the buffers of act */
  RvmActivations act;
  guint8 *packed;      /* pictures whose rows have padding are packed here */
  float *update_mean;  /* (tokens), host */
};

/* Sizes that keep every index of a kernel within 32 bits; far beyond any real picture. */
#define MAX_TOKENS (1u << 20)

static gboolean
check_grid (const RvmConfig *config, guint width, guint height, GError **error)
{
  const guint patch = config->patch;
  guint64 tokens, widest;

  if (width < patch || height < patch || width % patch || height % patch) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "picture of %u x %u pixels: width and height must be multiples of the model's patch size, %u, and at least that", width, height,
        patch);
    return FALSE;
  }
  tokens = (guint64) (width / patch) * (height / patch) + 1;
  widest = MAX (MAX (3 * (guint64) config->encoder.dim, 3 * (guint64) patch * patch),
      MAX (MAX (config->encoder.mlp, config->core.mlp), 2 * (guint64) config->core.dim * config->core.layers));
  if (tokens > MAX_TOKENS || tokens * widest > G_MAXUINT32) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "picture of %u x %u pixels is too large: %" G_GUINT64_FORMAT " tokens", width,
        height, tokens);
    return FALSE;
  }
  return TRUE;
}

/* Uses the memory of the state, which is not needed yet, for the positional encoding. */
static gboolean
make_table (RvmStream *stream, GError **error)
{
  const guint patches = stream->tokens - 1;
  g_autofree float *position = g_new (float, (gsize) patches * stream->dim);

  rvm_position_table (stream->rows, stream->columns, stream->dim, position);
  rvm_queue_write (stream->queue, stream->state, 0, position, (gsize) patches * stream->dim * sizeof (float));
  rvm_tokenizer_make_table (stream->queue, &stream->model->tokenizer, stream->state, stream->table, patches);
  return rvm_queue_finish (stream->queue, error);
}

/* Runs a black picture before the first frame, because some providers of matrix products build their kernels when they are first called, which takes
 * seconds. */
static gboolean
run_once (RvmStream *stream, GError **error)
{
  const RvmModel *model = stream->model;
  const RvmActivations *act = &stream->act;
  RvmQueue *queue = stream->queue;

  rvm_queue_zero (queue, stream->state, 0, rvm_buffer_get_size (stream->state));
  rvm_queue_zero (queue, act->pixels, 0, rvm_buffer_get_size (act->pixels));
  rvm_tokenizer_forward (queue, &model->tokenizer, stream->table, act->pixels, act->patches, act->tokens, 1, stream->rows, stream->columns);
  rvm_encoder_forward (queue, &model->encoder, act->tokens, &act->encoder, 1, stream->tokens);
  rvm_core_forward (queue, &model->core, act->encoder.out, stream->state, &act->core, stream->state, 1, stream->tokens);
  if (!rvm_queue_finish (queue, error))
    return FALSE;
  rvm_queue_reset_profile (queue);
  return TRUE;
}

RvmStream *
rvm_stream_new (RvmModel *model, guint width, guint height, RvmStreamFlags flags, GError **error)
{
  g_autoptr (RvmStream) stream = NULL;
  const RvmConfig *config = rvm_model_get_config (model);

  if (!check_grid (config, width, height, error))
    return NULL;
  stream = g_new0 (RvmStream, 1);
  stream->model = rvm_model_ref (model);
  stream->rows = height / config->patch;
  stream->columns = width / config->patch;
  stream->tokens = stream->rows * stream->columns + 1;
  stream->dim = config->encoder.dim;
  stream->keep = flags & RVM_STREAM_KEEP;
  stream->cold = TRUE;
  stream->packed = g_malloc ((gsize) width * height * 3);
  stream->update_mean = g_new (float, stream->tokens);
  stream->queue = rvm_queue_new (model->device, flags & RVM_STREAM_PROFILE, error);
  if (stream->queue == NULL)
    return NULL;
  stream->arena = rvm_arena_new (model->device);
  stream->table = rvm_arena_take (stream->arena, stream->tokens, stream->dim, "positional table");
  stream->state = rvm_arena_take (stream->arena, stream->tokens, stream->dim, "state");
  rvm_activations_take (&stream->act, stream->arena, config, stream->rows, stream->columns, stream->keep);
  if (!rvm_arena_finish (stream->arena, error) || !make_table (stream, error))
    return NULL;
  if (rvm_gemm_is_slow_at_first (model->gemm) && !run_once (stream, error))
    return NULL;
  return g_steal_pointer (&stream);
}

void
rvm_stream_free (RvmStream *stream)
{
  if (stream == NULL)
    return;
  g_clear_pointer (&stream->queue, rvm_queue_free);
  g_clear_pointer (&stream->arena, rvm_arena_free);
  g_free (stream->packed);
  g_free (stream->update_mean);
  rvm_model_unref (stream->model);
  g_free (stream);
}

RvmModel *
rvm_stream_get_model (RvmStream *stream)
{
  return stream->model;
}

RvmQueue *
rvm_stream_get_queue (RvmStream *stream)
{
  return stream->queue;
}

guint
rvm_stream_get_rows (const RvmStream *stream)
{
  return stream->rows;
}

guint
rvm_stream_get_columns (const RvmStream *stream)
{
  return stream->columns;
}

guint
rvm_stream_get_tokens (const RvmStream *stream)
{
  return stream->tokens;
}

guint
rvm_stream_get_dim (const RvmStream *stream)
{
  return stream->dim;
}

guint64
rvm_stream_get_bytes (const RvmStream *stream)
{
  return rvm_arena_get_bytes (stream->arena);
}

void
rvm_stream_reset (RvmStream *stream)
{
  stream->cold = TRUE;
}

gboolean
rvm_stream_set_state (RvmStream *stream, const RvmState *state, GError **error)
{
  if (!rvm_state_has_shape (state, stream->tokens, stream->dim)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_MODEL, "the state has %u tokens of %u values, expected %u of %u", state->tokens, state->dim,
        stream->tokens, stream->dim);
    return FALSE;
  }
  rvm_queue_write (stream->queue, stream->state, 0, g_bytes_get_data (state->values, NULL), rvm_buffer_get_size (stream->state));
  stream->cold = !rvm_queue_finish (stream->queue, error);
  return !stream->cold;
}

/* Both values are computed from what the host has anyway. The sum over all values is not finite if one of them is not. */
static gboolean
check_health (const RvmStream *stream, const float *features, RvmStreamHealth *health, GError **error)
{
  double squares[8] = { 0 }, sum = 0, gates = 0;
  const gsize count = (gsize) stream->tokens * stream->dim;
  gsize i;

  for (i = 0; i + 8 <= count; i += 8)
    for (guint l = 0; l < 8; l++)
      squares[l] += (double) features[i + l] * features[i + l];
  for (; i < count; i++)
    squares[0] += (double) features[i] * features[i];
  for (guint l = 0; l < 8; l++)
    sum += squares[l];
  for (guint t = 0; t < stream->tokens; t++)
    gates += stream->update_mean[t];
  if (!isfinite (sum)) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_MODEL, "the state has become NaN or infinite");
    return FALSE;
  }
  if (health) {
    health->state_norm = sqrt (sum);
    health->update_mean = gates / stream->tokens;
  }
  return TRUE;
}

/* From the encoded frame and the state to the new state, which is the features. The caller has taken a turn, which ends here. */
static gboolean
fold (RvmStream *stream, guint passes, float *features, RvmStreamHealth *health, GError **error)
{
  const RvmActivations *act = &stream->act;
  RvmQueue *queue = stream->queue;
  gboolean done;

  if (stream->cold)
    rvm_queue_zero (queue, stream->state, 0, rvm_buffer_get_size (stream->state));
  for (guint i = 0; i < passes; i++)
    rvm_core_forward (queue, &stream->model->core, act->encoder.out, stream->state, &act->core, stream->state, 1, stream->tokens);
  rvm_queue_read (queue, stream->state, 0, features, rvm_buffer_get_size (stream->state));
  rvm_queue_read (queue, act->core.update_mean, 0, stream->update_mean, stream->tokens * sizeof (float));

  done = rvm_queue_finish (queue, error);
  rvm_turns_end (rvm_device_get_turns (stream->model->device));
  stream->cold = !done || !check_health (stream, features, health, error);
  return !stream->cold;
}

gboolean
rvm_stream_push (RvmStream *stream, const guint8 *pixels, gsize stride, guint passes, float *features, RvmStreamHealth *health,
    GError **error)
{
  const RvmModel *model = stream->model;
  const gsize line = (gsize) stream->columns * model->config.patch * 3, lines = (gsize) stream->rows * model->config.patch;
  const RvmActivations *act = &stream->act;
  RvmQueue *queue = stream->queue;

  g_return_val_if_fail (stride >= line && passes >= 1, FALSE);

  if (stride != line) {
    for (gsize y = 0; y < lines; y++)
      memcpy (stream->packed + y * line, pixels + y * stride, line);
    pixels = stream->packed;
  }
  rvm_turns_take (rvm_device_get_turns (model->device));
  rvm_queue_write (queue, act->pixels, 0, pixels, line * lines);
  rvm_tokenizer_forward (queue, &model->tokenizer, stream->table, act->pixels, act->patches, act->tokens, 1, stream->rows, stream->columns);
  rvm_encoder_forward (queue, &model->encoder, act->tokens, &act->encoder, 1, stream->tokens);
  return fold (stream, passes, features, health, error);
}

gboolean
rvm_stream_begin_with_last (RvmStream *stream, guint passes, float *features, RvmStreamHealth *health, GError **error)
{
  g_return_val_if_fail (passes >= 1, FALSE);

  stream->cold = TRUE;
  rvm_turns_take (rvm_device_get_turns (stream->model->device));
  return fold (stream, passes, features, health, error);
}

gboolean
rvm_stream_read_encoded (RvmStream *stream, float *values, GError **error)
{
  rvm_queue_read (stream->queue, stream->act.encoder.out, 0, values, (gsize) stream->tokens * stream->dim * sizeof (float));
  return rvm_queue_finish (stream->queue, error);
}

gboolean
rvm_stream_measure_gates (RvmStream *stream, float *update, float *reset, GError **error)
{
  const gsize dim = stream->dim;
  g_autofree float *gates = g_new (float, stream->tokens * 2 * dim);
  double sums[2] = { 0 };

  rvm_queue_read (stream->queue, stream->act.core.gates, 0, gates, stream->tokens * 2 * dim * sizeof (float));
  if (!rvm_queue_finish (stream->queue, error))
    return FALSE;
  for (gsize i = 0; i < stream->tokens * 2 * dim; i++)
    sums[i % (2 * dim) >= dim] += gates[i];
  *update = sums[0] / (stream->tokens * dim);
  *reset = sums[1] / (stream->tokens * dim);
  return TRUE;
}

/* One half of the gates: the update gate begins at column 0, the reset gate at column dim. */
static gboolean
read_gates (RvmStream *stream, guint column, float *values, GError **error)
{
  const gsize dim = stream->dim;
  g_autofree float *gates = g_new (float, stream->tokens * 2 * dim);

  rvm_queue_read (stream->queue, stream->act.core.gates, 0, gates, stream->tokens * 2 * dim * sizeof (float));
  if (!rvm_queue_finish (stream->queue, error))
    return FALSE;
  for (guint t = 0; t < stream->tokens; t++)
    memcpy (values + t * dim, gates + t * 2 * dim + column, dim * sizeof (float));
  return TRUE;
}

gboolean
rvm_stream_read_activation (RvmStream *stream, RvmActivation which, guint layer, float *values, GError **error)
{
  const RvmActivations *act = &stream->act;
  RvmBuffer *buffer = NULL;

  g_return_val_if_fail (stream->keep, FALSE);

  switch (which) {
    case RVM_ACTIVATION_TOKENS:
      buffer = act->tokens;
      break;
    case RVM_ACTIVATION_ENCODER_BLOCK:
      g_return_val_if_fail (layer < stream->model->config.encoder.layers, FALSE);
      buffer = act->encoder.blocks[layer].mlp.out;
      break;
    case RVM_ACTIVATION_ENCODED:
      buffer = act->encoder.out;
      break;
    case RVM_ACTIVATION_UPDATE_GATE:
      return read_gates (stream, 0, values, error);
    case RVM_ACTIVATION_RESET_GATE:
      return read_gates (stream, stream->dim, values, error);
    case RVM_ACTIVATION_CORE_BLOCK:
      g_return_val_if_fail (layer < stream->model->config.core.layers, FALSE);
      buffer = act->core.transformer.blocks[layer].self.out;
      break;
    case RVM_ACTIVATION_CANDIDATE:
      buffer = act->core.transformer.out;
      break;
  }
  g_return_val_if_fail (buffer != NULL, FALSE);
  rvm_queue_read (stream->queue, buffer, 0, values, (gsize) stream->tokens * stream->dim * sizeof (float));
  return rvm_queue_finish (stream->queue, error);
}
