/* Loading and forward pass of the attention readout. The forward pass enqueues; nothing here waits. */
#include "attention_readout.h"

#include <math.h>

#include "kernels/cl/flags.h"
#include "kernels/ops/tokens.h"
#include "kernels/ops/window.h"

/* Far beyond any sensible readout, small enough that no product of two overflows 32 bits. */
#define MAX_WIDTH 32768
#define MAX_HEAD_DIM 512 /* as in config.c */

#define SITE(layer) ((RvmSite){ RVM_PART_READOUT, RVM_LAYER_##layer, 0 })

static const RvmSite learned_queries = { RVM_PART_LEARNED_QUERIES, RVM_LAYER_QUERIES, 0 };
static const RvmSite place_in = { RVM_PART_PLACE_QUERIES, RVM_LAYER_PLACE_IN, 0 }, place_out = { RVM_PART_PLACE_QUERIES, RVM_LAYER_PLACE_OUT, 0 };

RvmSchema
rvm_attention_readout_get_schema (const RvmAttentionReadoutConfig *config)
{
  RvmSchema schema = { 0 };

  for (guint part = RVM_PART_READOUT; part <= RVM_PART_PLACE_QUERIES; part++) {
    guint *sizes = schema.sizes[part];

    sizes[RVM_SIZE_INPUT] = config->dim;
    sizes[RVM_SIZE_DIM] = config->block.dim;
    sizes[RVM_SIZE_HEADS] = config->block.heads;
    sizes[RVM_SIZE_MLP] = config->block.mlp;
    sizes[RVM_SIZE_WINDOW] = config->window;
    sizes[RVM_SIZE_QUERIES] = config->queries;
    sizes[RVM_SIZE_CODE] = config->code;
    sizes[RVM_SIZE_OUTPUTS] = config->outputs;
  }
  rvm_schema_complete (&schema);
  return schema;
}

GArray *
rvm_attention_readout_list_arrays (const RvmAttentionReadoutConfig *config)
{
  const RvmSchema schema = rvm_attention_readout_get_schema (config);
  const RvmPart part = config->code ? RVM_PART_PLACE_QUERIES : RVM_PART_LEARNED_QUERIES;
  GArray *arrays = rvm_schema_list_arrays (&schema, RVM_PART_READOUT, RVM_PART_READOUT);
  g_autoptr (GArray) queries = rvm_schema_list_arrays (&schema, part, part);

  for (guint i = 0; i < queries->len; i++) {
    RvmArray array = g_array_index (queries, RvmArray, i);

    array.name = g_strdup (array.name);
    g_array_append_val (arrays, array);
  }
  return arrays;
}

gboolean
rvm_attention_readout_validate (const RvmAttentionReadoutConfig *config, GError **error)
{
  const struct {
    const char *name;
    guint value, most;
  } ranges[] = {
    { "channels of a token", config->dim, MAX_WIDTH }, { "width", config->block.dim, MAX_WIDTH }, { "heads", config->block.heads, MAX_WIDTH },
    { "MLP width", config->block.mlp, MAX_WIDTH }, { "window", config->window, RVM_WINDOW_STATES }, { "outputs", config->outputs, MAX_WIDTH },
    { "queries", config->code ? 1 : config->queries, MAX_WIDTH }, { "width of the positional encoding", config->code ? config->code : 4, 128 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++)
    if (ranges[i].value < 1 || ranges[i].value > ranges[i].most) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s of a readout: %u, expected 1 to %u", ranges[i].name, ranges[i].value, ranges[i].most);
      return FALSE;
    }
  if (config->block.dim % config->block.heads != 0 || config->block.dim / config->block.heads > MAX_HEAD_DIM) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "heads of a readout: %u do not divide a width of %u into heads of at most %d", config->block.heads,
        config->block.dim, MAX_HEAD_DIM);
    return FALSE;
  }
  if (config->code % 4 != 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "width of the positional encoding: %u, expected a multiple of 4", config->code);
    return FALSE;
  }
  return TRUE;
}

gboolean
rvm_attention_readout_read_config (RvmAttentionReadoutConfig *config, const RvmWeights *weights, GError **error)
{
  const struct {
    guint *to;
    RvmSite site;
    RvmRole role;
    RvmSize size;
  } sizes[] = {
    { &config->dim, SITE (CROSS_KEY), RVM_ROLE_KERNEL, RVM_SIZE_INPUT },
    { &config->block.heads, SITE (CROSS_KEY), RVM_ROLE_KERNEL, RVM_SIZE_HEADS },
    { &config->block.dim, SITE (CROSS_OUT), RVM_ROLE_KERNEL, RVM_SIZE_DIM },
    { &config->block.mlp, SITE (MLP_IN), RVM_ROLE_KERNEL, RVM_SIZE_MLP },
    { &config->window, SITE (TEMPORAL_CODE), RVM_ROLE_VALUES, RVM_SIZE_WINDOW },
    { &config->outputs, SITE (OUTPUTS), RVM_ROLE_KERNEL, RVM_SIZE_OUTPUTS },
  };
  g_autofree char *place = rvm_schema_format_name (place_in, RVM_ROLE_KERNEL);
  g_autoptr (GError) reason = NULL;
  g_autoptr (GArray) arrays = NULL;
  gboolean found;

  *config = (RvmAttentionReadoutConfig){ .block.layers = 1 };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    if ((*sizes[i].to = rvm_config_read_size (weights, sizes[i].site, sizes[i].role, sizes[i].size, error)) == 0)
      return FALSE;
  if (rvm_weights_find (weights, place))
    found = (config->code = rvm_config_read_size (weights, place_in, RVM_ROLE_KERNEL, RVM_SIZE_CODE, error)) != 0;
  else
    found = (config->queries = rvm_config_read_size (weights, learned_queries, RVM_ROLE_VALUES, RVM_SIZE_QUERIES, error)) != 0;
  if (!found)
    return FALSE;
  if (!rvm_attention_readout_validate (config, &reason)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: %s", rvm_weights_get_path (weights), reason->message);
    return FALSE;
  }
  arrays = rvm_attention_readout_list_arrays (config);
  return rvm_config_check_arrays (arrays, weights, error);
}

void
rvm_attention_readout_load (RvmAttentionReadout *readout, RvmLoader *loader, const RvmAttentionReadoutConfig *config)
{
  const RvmSite key_value[] = { SITE (CROSS_KEY), SITE (CROSS_VALUE) };

  readout->config = *config;
  rvm_norm_load (&readout->norm, loader, config->dim, SITE (CROSS_NORM));
  readout->temporal_code = rvm_loader_vector (loader, SITE (TEMPORAL_CODE), RVM_ROLE_VALUES);
  if (config->code) {
    readout->place_in = rvm_loader_linear (loader, &place_in, 1, TRUE);
    readout->place_out = rvm_loader_linear (loader, &place_out, 1, TRUE);
  } else {
    readout->queries = rvm_loader_vector (loader, learned_queries, RVM_ROLE_VALUES);
  }
  readout->key_value = rvm_loader_linear (loader, key_value, G_N_ELEMENTS (key_value), TRUE);
  readout->out = rvm_loader_linear (loader, &SITE (CROSS_OUT), 1, TRUE);
  rvm_mlp_load (&readout->mlp, loader, &config->block, RVM_PART_READOUT, 0);
  readout->outputs = rvm_loader_linear (loader, &SITE (OUTPUTS), 1, TRUE);
}

void
rvm_attention_readout_clear (RvmAttentionReadout *readout)
{
  rvm_norm_clear (&readout->norm);
  g_clear_pointer (&readout->temporal_code, rvm_buffer_unref);
  g_clear_pointer (&readout->queries, rvm_buffer_unref);
  g_clear_pointer (&readout->place_in, rvm_linear_free);
  g_clear_pointer (&readout->place_out, rvm_linear_free);
  g_clear_pointer (&readout->key_value, rvm_linear_free);
  g_clear_pointer (&readout->out, rvm_linear_free);
  rvm_mlp_layer_clear (&readout->mlp);
  g_clear_pointer (&readout->outputs, rvm_linear_free);
}

void
rvm_attention_readout_code_places (guint code, guint rows, guint columns, float *values)
{
  const guint octaves = code / 4;

  for (guint cell = 0; cell < rows * columns; cell++)
    for (guint axis = 0; axis < 2; axis++) {
      const double at = axis == 0 ? (cell % columns + 0.5) / columns : (cell / columns + 0.5) / rows;

      for (guint octave = 0; octave < octaves; octave++) {
        const double angle = G_PI * at * exp2 (octave);

        *values++ = sin (angle);
        *values++ = cos (angle);
      }
    }
}

void
rvm_readout_activations_take (RvmReadoutActivations *act, RvmArena *arena, const RvmAttentionReadoutConfig *config, const RvmReadoutShape *shape)
{
  const guint64 tokens = (guint64) shape->windows * shape->states * shape->tokens, rows = (guint64) shape->windows * shape->queries;
  const guint width = config->block.dim, hidden = config->block.mlp;

  *act = (RvmReadoutActivations){ .norm = NULL };
  act->norm = rvm_arena_take (arena, tokens, config->dim, "normalised states");
  act->keys_values = rvm_arena_take (arena, tokens, 2 * (guint64) width, "keys and values of states");
  if (config->code) {
    act->place_pre_gelu = rvm_arena_take (arena, shape->queries, hidden, "hidden layer of places");
    act->place_hidden = rvm_arena_take (arena, shape->queries, hidden, "hidden layer of places");
    act->query = rvm_arena_take (arena, shape->queries, width, "queries of places");
  }
  act->queries = rvm_arena_take (arena, rows, width, "queries");
  act->attended = rvm_arena_take (arena, rows, width, "attention output");
  act->log_sum_exp = rvm_arena_take (arena, rows, config->block.heads, "log-sum-exp of attention");
  act->joined = rvm_arena_take (arena, rows, width, "queries after attention");
  act->mlp.norm = rvm_arena_take (arena, rows, width, "normalised queries");
  act->mlp.pre_gelu = rvm_arena_take (arena, rows, hidden, "hidden layer");
  act->mlp.hidden = rvm_arena_take (arena, rows, hidden, "hidden layer");
  act->mlp.out = rvm_arena_take (arena, rows, width, "queries after the MLP");
  act->outputs = rvm_arena_take (arena, rows, config->outputs, "outputs");
}

const RvmBuffer *
rvm_attention_readout_make_queries (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmBuffer *places, const RvmReadoutActivations *act,
    guint queries)
{
  const guint hidden = readout->config.block.mlp, width = readout->config.block.dim;

  if (readout->queries)
    return readout->queries;
  rvm_linear_forward (queue, readout->place_in, rvm_tensor (places, queries, readout->config.code), rvm_tensor (act->place_hidden, queries, hidden),
      &(RvmEpilogue){ .gelu = TRUE, .pre_gelu = rvm_tensor (act->place_pre_gelu, queries, hidden) });
  rvm_linear_forward (queue, readout->place_out, rvm_tensor (act->place_hidden, queries, hidden), rvm_tensor (act->query, queries, width), NULL);
  return act->query;
}

void
rvm_attention_readout_project (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmBuffer *n, RvmBuffer *keys_values, guint rows)
{
  rvm_linear_forward (queue, readout->key_value, rvm_tensor (n, rows, readout->config.dim),
      rvm_tensor (keys_values, rows, 2 * readout->config.block.dim), NULL);
}

RvmAttention
rvm_attention_readout_describe (const RvmAttentionReadout *readout, const RvmBuffer *queries, const RvmReadoutActivations *act, guint windows,
    guint n_queries, guint keys)
{
  const guint width = readout->config.block.dim, heads = readout->config.block.heads;
  const RvmTensor keys_values = rvm_tensor (act->keys_values, windows * keys, 2 * width);

  return (RvmAttention){
    .query = rvm_tensor (queries, windows * n_queries, width),
    .key = rvm_tensor_columns (keys_values, 0, width),
    .value = rvm_tensor_columns (keys_values, width, width),
    .out = rvm_tensor (act->attended, windows * n_queries, width),
    .log_sum_exp = rvm_tensor (act->log_sum_exp, windows * heads, n_queries),
    .batch = windows, .heads = heads,
  };
}

void
rvm_attention_readout_finish (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmBuffer *queries,
    const RvmReadoutActivations *act, guint rows)
{
  const guint width = readout->config.block.dim;

  rvm_linear_forward (queue, readout->out, rvm_tensor (act->attended, rows, width), rvm_tensor (act->joined, rows, width),
      &(RvmEpilogue){ .residual = rvm_tensor (queries, rows, width) });
  rvm_mlp_forward (queue, &readout->mlp, act->joined, &act->mlp, rows);
  rvm_linear_forward (queue, readout->outputs, rvm_tensor (act->mlp.out, rows, width), rvm_tensor (act->outputs, rows, readout->config.outputs), NULL);
}

void
rvm_attention_readout_forward (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmReadoutInput *input, const RvmReadoutActivations *act,
    const RvmReadoutShape *shape)
{
  const guint states = shape->windows * shape->states, rows = states * shape->tokens, dim = readout->config.dim, width = readout->config.block.dim;
  const RvmBuffer *query = rvm_attention_readout_make_queries (queue, readout, input->places, act, shape->queries);
  const RvmAttention attention
      = rvm_attention_readout_describe (readout, act->queries, act, shape->windows, shape->queries, shape->states * shape->tokens);

  rvm_gather_rows (queue, rvm_tensor (query, shape->queries, width), input->query_of_row, rvm_tensor (act->queries, attention.query.rows, width));
  rvm_norm_forward (queue, &readout->norm, input->states, act->norm, rows);
  rvm_add_frame_code (queue, rvm_tensor (act->norm, rows, dim), rvm_tensor (readout->temporal_code, readout->config.window, dim), input->age, states);
  rvm_attention_readout_project (queue, readout, act->norm, act->keys_values, rows);
  rvm_attention (queue, &attention);
  rvm_attention_readout_finish (queue, readout, act->queries, act, attention.query.rows);
}
