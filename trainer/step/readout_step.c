/* Batches of windows through a readout and back. */
#include "readout_step.h"

#include <math.h>
#include <string.h>

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "kernels/ops/readout_loss.h"
#include "trainer/backward/readout.h"

struct _RvmReadoutStep {
  RvmReadout *readout;
  const RvmAttentionReadout *net;
  RvmReadoutBatchShape most;
  RvmReadoutAnswer map;   /* shape of an answer */
  RvmReadoutShape shape;  /* of the largest batch */
  RvmQueue *queue;
  RvmArena *arena;
  RvmGradients *gradients;
  RvmBackward backward;
  RvmReadoutScratch scratch;
  RvmReadoutActivations act;
  RvmReadoutInput input;
  RvmBuffer *states, *age, *places, *query_of_row;
  RvmBuffer *target, *weight, *doutputs, *row_loss;
  /* on the host */
  float *states_host, *target_host, *weight_host, *row_loss_host, *outputs_host, *logits_host;
  guint32 *age_host;
};

static guint
count_places (const RvmReadoutStep *step)
{
  return step->map.rows * step->map.columns;
}

static void
take_buffers (RvmReadoutStep *step)
{
  const RvmAttentionReadoutConfig *config = &step->net->config;
  const guint64 states = (guint64) step->shape.windows * step->shape.states, rows = (guint64) step->shape.windows * step->shape.queries;
  const guint64 places = (guint64) step->shape.windows * count_places (step);

  step->arena = rvm_arena_new (step->readout->device);
  rvm_readout_activations_take (&step->act, step->arena, config, &step->shape);
  rvm_readout_scratch_take (&step->backward, &step->scratch, step->arena, config, &step->shape);
  step->states = rvm_arena_take (step->arena, states * step->shape.tokens, config->dim, "features");
  step->age = rvm_arena_take (step->arena, states, 1, "ages");
  step->query_of_row = rvm_arena_take (step->arena, rows, 1, "queries of rows");
  if (config->code)
    step->places = rvm_arena_take (step->arena, step->shape.queries, config->code, "positional encodings");
  step->target = rvm_arena_take (step->arena, places, step->map.channels, "target");
  step->weight = rvm_arena_take (step->arena, places, 1, "weights");
  step->doutputs = rvm_arena_take (step->arena, places, step->map.channels, "gradient of outputs");
  step->row_loss = rvm_arena_take (step->arena, places, 1, "losses");
  step->input = (RvmReadoutInput){ step->states, step->age, step->places, step->query_of_row };
}

/* What is the same in every batch. */
static gboolean
write_tables (RvmReadoutStep *step, GError **error)
{
  const guint rows = step->shape.windows * step->shape.queries, code = step->net->config.code;
  g_autofree guint32 *query = g_new (guint32, rows);
  g_autofree float *places = g_new (float, (gsize) step->shape.queries * code + 1);

  for (guint i = 0; i < rows; i++)
    query[i] = i % step->shape.queries;
  rvm_queue_write (step->queue, step->query_of_row, 0, query, rows * sizeof *query);
  if (code) {
    rvm_attention_readout_code_places (code, step->most.rows, step->most.columns, places);
    rvm_queue_write (step->queue, step->places, 0, places, (gsize) step->shape.queries * code * sizeof (float));
  }
  rvm_readout_step_begin (step);
  return rvm_queue_finish (step->queue, error);
}

RvmReadoutStep *
rvm_readout_step_new (RvmReadout *readout, const RvmReadoutBatchShape *most, GError **error)
{
  g_autoptr (RvmReadoutStep) step = g_new0 (RvmReadoutStep, 1);
  const guint window = readout->info->window;
  gsize states, places;

  step->readout = rvm_readout_ref (readout);
  step->net = readout->network;
  step->most = *most;
  if (readout->parameters == NULL || most->windows == 0 || most->states == 0 || most->states > window || most->rows == 0 || most->columns == 0
      || (guint64) most->windows * most->states * (1 + (guint64) most->rows * most->columns) * MAX (readout->dim, 2 * step->net->config.block.dim)
          > G_MAXINT32) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "a batch of %u windows of %u states of %u x %u patches: expected at most %u states, and fewer in all",
        most->windows, most->states, most->columns, most->rows, window);
    return NULL;
  }
  readout->kind->get_shape (readout, most->rows, most->columns, &step->map);
  step->shape = (RvmReadoutShape){
    .windows = most->windows, .states = most->states, .tokens = 1 + most->rows * most->columns,
    .queries = step->net->config.code ? most->rows * most->columns : step->net->config.queries,
  };
  step->queue = rvm_queue_new (readout->device, FALSE, error);
  if (step->queue == NULL)
    return NULL;
  take_buffers (step);
  step->gradients = rvm_gradients_new (readout->device, readout->parameters, error);
  if (step->gradients == NULL || !rvm_arena_finish (step->arena, error))
    return NULL;
  step->backward.queue = step->queue;
  step->backward.gradients = step->gradients;
  states = (gsize) most->windows * most->states;
  places = (gsize) most->windows * count_places (step);
  step->states_host = g_new (float, states * step->shape.tokens * readout->dim);
  step->age_host = g_new (guint32, states);
  step->target_host = g_new (float, places * step->map.channels);
  step->outputs_host = g_new (float, places * step->map.channels);
  step->logits_host = g_new (float, (gsize) count_places (step) * step->map.channels);
  step->weight_host = g_new (float, places);
  step->row_loss_host = g_new (float, places);
  return write_tables (step, error) ? g_steal_pointer (&step) : NULL;
}

void
rvm_readout_step_free (RvmReadoutStep *step)
{
  if (step == NULL)
    return;
  g_clear_pointer (&step->gradients, rvm_gradients_free);
  g_clear_pointer (&step->queue, rvm_queue_free);
  g_clear_pointer (&step->arena, rvm_arena_free);
  g_free (step->states_host);
  g_free (step->age_host);
  g_free (step->target_host);
  g_free (step->outputs_host);
  g_free (step->logits_host);
  g_free (step->weight_host);
  g_free (step->row_loss_host);
  rvm_readout_unref (step->readout);
  g_free (step);
}

RvmQueue *
rvm_readout_step_get_queue (RvmReadoutStep *step)
{
  return step->queue;
}

RvmGradients *
rvm_readout_step_get_gradients (RvmReadoutStep *step)
{
  return step->gradients;
}

void
rvm_readout_step_begin (RvmReadoutStep *step)
{
  rvm_gradients_reset (step->gradients);
  rvm_gradients_refresh (step->queue, step->gradients);
}

/* The states of one window less its reference. */
static void
subtract_reference (const RvmReadoutStep *step, guint states, float *window)
{
  const gsize size = (gsize) step->shape.tokens * step->readout->dim;
  g_autofree float *reference = NULL;

  if (step->readout->info->reference == RVM_REFERENCE_NONE)
    return;
  reference = g_memdup2 (window, size * sizeof *window);
  if (step->readout->info->reference == RVM_REFERENCE_MEAN)
    for (gsize i = 0; i < size; i++) {
      double sum = 0;

      for (guint s = 0; s < states; s++)
        sum += window[s * size + i];
      reference[i] = sum / states;
    }
  for (gsize i = 0; i < states * size; i++)
    window[i] -= reference[i % size];
}

/* From the order of a map to that of the outputs: cell by cell, and within a cell row by row. @columns values for each place. */
static void
gather_places (const RvmReadoutStep *step, const float *map, guint columns, float *outputs)
{
  const guint side = step->map.rows / step->most.rows, cells = step->most.columns;

  if (count_places (step) == 1) {
    memcpy (outputs, map, columns * sizeof *map);
    return;
  }
  for (guint y = 0; y < step->map.rows; y++)
    for (guint x = 0; x < step->map.columns; x++) {
      const gsize cell = (gsize) (y / side) * cells + x / side, place = y % side * side + x % side;

      memcpy (outputs + (cell * side * side + place) * columns, map + ((gsize) y * step->map.columns + x) * columns, columns * sizeof *map);
    }
}

static void
write_batch (RvmReadoutStep *step, const RvmReadoutBatch *batch)
{
  const gsize size = (gsize) batch->states * step->shape.tokens * step->readout->dim, places = count_places (step);
  const guint channels = step->map.channels;

  memcpy (step->states_host, batch->features, batch->windows * size * sizeof (float));
  for (guint w = 0; w < batch->windows; w++) {
    subtract_reference (step, batch->states, step->states_host + w * size);
    for (guint s = 0; s < batch->states; s++)
      step->age_host[w * batch->states + s] = batch->age ? batch->age[w * batch->states + s] : batch->states - 1 - s;
    gather_places (step, batch->target + w * places * channels, channels, step->target_host + w * places * channels);
    gather_places (step, batch->weight + w * places, 1, step->weight_host + w * places);
  }
  rvm_queue_write (step->queue, step->states, 0, step->states_host, batch->windows * size * sizeof (float));
  rvm_queue_write (step->queue, step->age, 0, step->age_host, (gsize) batch->windows * batch->states * sizeof (guint32));
  rvm_queue_write (step->queue, step->target, 0, step->target_host, batch->windows * places * channels * sizeof (float));
  rvm_queue_write (step->queue, step->weight, 0, step->weight_host, batch->windows * places * sizeof (float));
}

static gboolean
run (RvmReadoutStep *step, const RvmReadoutBatch *batch, gboolean backward, double *loss, float *values, GError **error)
{
  const RvmReadoutShape shape = { batch->windows, batch->states, step->shape.tokens, step->shape.queries };
  const RvmReadoutKind *kind = step->readout->kind;
  const guint places = batch->windows * count_places (step), channels = step->map.channels;
  const gsize of_window = (gsize) count_places (step) * channels;

  if (batch->windows == 0 || batch->windows > step->most.windows || batch->states == 0 || batch->states > step->most.states) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "a batch of %u windows of %u states, expected at most %u of %u", batch->windows, batch->states,
        step->most.windows, step->most.states);
    return FALSE;
  }
  write_batch (step, batch);
  rvm_attention_readout_forward (step->queue, step->net, &step->input, &step->act, &shape);
  (kind->has_logits (step->readout) ? rvm_cross_entropy : rvm_absolute_error) (step->queue,
      &(RvmReadoutLoss){
          .x = rvm_tensor (step->act.outputs, places, channels), .target = rvm_tensor (step->target, places, channels), .weight = step->weight,
          .dx = rvm_tensor (step->doutputs, places, channels), .row_loss = step->row_loss,
      });
  if (backward)
    rvm_attention_readout_backward (&step->backward, step->net, &step->input, &step->act, &shape, &step->scratch, step->doutputs);
  rvm_queue_read (step->queue, step->row_loss, 0, step->row_loss_host, places * sizeof (float));
  rvm_queue_read (step->queue, step->act.outputs, 0, step->outputs_host, (gsize) places * channels * sizeof (float));
  if (!rvm_queue_finish (step->queue, error))
    return FALSE;
  *loss = 0;
  for (guint i = 0; i < places; i++)
    *loss += step->row_loss_host[i];
  if (!isfinite (*loss)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "the loss of the readout has become NaN or infinite");
    return FALSE;
  }
  for (guint w = 0; values && w < batch->windows; w++)
    kind->interpret (step->readout, &step->map, step->outputs_host + w * of_window, values + w * of_window,
        kind->has_logits (step->readout) ? step->logits_host : NULL);
  return TRUE;
}

gboolean
rvm_readout_step_forward (RvmReadoutStep *step, const RvmReadoutBatch *batch, double *loss, float *values, GError **error)
{
  return run (step, batch, FALSE, loss, values, error);
}

gboolean
rvm_readout_step_backward (RvmReadoutStep *step, const RvmReadoutBatch *batch, double *loss, float *values, GError **error)
{
  return run (step, batch, TRUE, loss, values, error);
}

static const RvmParameter *
find_parameter (const RvmReadoutStep *step, const char *name)
{
  for (guint i = 0; i < step->readout->parameters->len; i++) {
    const RvmParameter *parameter = g_ptr_array_index (step->readout->parameters, i);

    if (strcmp (parameter->array.name, name) == 0)
      return parameter;
  }
  g_return_val_if_reached (NULL);
}

/* (transfer full): the device memory that holds @parameter, alone or with others. */
static float *
read_buffer (RvmReadoutStep *step, const RvmParameter *parameter, GError **error)
{
  RvmBuffer *buffer = rvm_parameter_get_buffer (parameter);
  g_autofree float *stored = g_malloc (rvm_buffer_get_size (buffer));

  rvm_queue_read (step->queue, buffer, 0, stored, rvm_buffer_get_size (buffer));
  return rvm_queue_finish (step->queue, error) ? g_steal_pointer (&stored) : NULL;
}

gboolean
rvm_readout_step_read (RvmReadoutStep *step, const char *name, float *values, GError **error)
{
  const RvmParameter *parameter = find_parameter (step, name);
  g_autofree float *stored = parameter ? read_buffer (step, parameter, error) : NULL;

  if (stored == NULL)
    return FALSE;
  rvm_parameter_unpack (parameter, stored, values);
  return TRUE;
}

gboolean
rvm_readout_step_write (RvmReadoutStep *step, const char *name, const float *values, GError **error)
{
  const RvmParameter *parameter = find_parameter (step, name);
  g_autofree float *stored = parameter ? read_buffer (step, parameter, error) : NULL;
  RvmBuffer *buffer;

  if (stored == NULL)
    return FALSE;
  buffer = rvm_parameter_get_buffer (parameter);
  rvm_parameter_pack (parameter, stored, values);
  rvm_queue_write (step->queue, buffer, 0, stored, rvm_buffer_get_size (buffer));
  return rvm_queue_finish (step->queue, error);
}

static gboolean
read_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  return rvm_readout_step_read (user_data, array->name, values, error);
}

gboolean
rvm_readout_step_save (RvmReadoutStep *step, const char *path, const RvmReadoutInfo *info, GError **error)
{
  g_autoptr (GArray) arrays = rvm_attention_readout_list_arrays (&step->net->config);
  g_autoptr (GHashTable) metadata = rvm_readout_info_to_metadata (info);

  if (!g_str_has_suffix (path, ".safetensors")) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: the name of a readout must end in .safetensors", path);
    return FALSE;
  }
  return rvm_weights_save (path, (const RvmArray *) arrays->data, arrays->len, read_values, step, metadata, error);
}
