/* A stream's window of states for an attention readout.
 *
 * A state is projected and attended to once, when it comes. What that gives, a vector of P numbers and a log-sum-exp per head for each query, is kept
 * for as long as the state is in the window, and joined with that of the other states for each answer (kernels/ops/window.h). If the states are to be
 * taken less a reference, which changes with every new state, the states themselves are kept, and all of the window is done again.
 *
 * A readout whose metadata have `cells` is given pooled tokens: the grid is then that of the cells. */
#include <math.h>
#include <string.h>

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "kernels/ops/window.h"
#include "pooled.h"
#include "readout_private.h"

typedef struct {
  const RvmReadout *readout;
  const RvmAttentionReadout *net;
  RvmQueue *queue;
  RvmArena *arena;
  RvmReadoutActivations act;  /* of one state */
  guint rows, columns;        /* of the grid of patches that states come with */
  float *pooled;              /* (tokens, C), host; NULL if states are not pooled */
  guint tokens, queries;
  RvmBuffer *places;          /* (queries, code), or NULL */
  const RvmBuffer *query;     /* (queries, P) */
  RvmBuffer *state;           /* (tokens, C) */
  RvmBuffer *past;            /* (window * tokens, C); these three only with a reference */
  RvmBuffer *reference, *less; /* (tokens, C) */
  RvmBuffer *attended;        /* (window * queries, P): of each state */
  RvmBuffer *log_sum_exp;     /* (window * heads, queries): of each state */
  RvmBuffer *score;           /* (window * heads, queries): what the temporal code adds, see RvmWindowJoin */
  RvmBuffer *value;           /* (window, P) */
  RvmBuffer *slot;            /* uint32 (window) */
  guint32 order[RVM_WINDOW_STATES]; /* the same on the host */
  guint n, next;              /* states in the window, and the slot of the next one */
  float *outputs;             /* (queries, outputs), host */
} Window;

static guint
get_size (const Window *window)
{
  return window->readout->info->window;
}

static gsize
bytes_of (guint64 rows, guint width)
{
  return rows * width * sizeof (float);
}

/* What the temporal code of each age adds to values, and to scores of the queries. The projection of a code is that of the code as tokens less that
 * of zeros, which is the bias. */
static gboolean
make_code_tables (Window *window, GError **error)
{
  const RvmTransformerConfig *block = &window->net->config.block;
  const guint size = get_size (window), dim = window->net->config.dim, width = block->dim, head_dim = width / block->heads, queries = window->queries;
  g_autoptr (RvmArena) arena = rvm_arena_new (window->readout->device);
  RvmBuffer *codes = rvm_arena_take (arena, size + 1, dim, "temporal code"), *both = rvm_arena_take (arena, size + 1, 2 * width, "temporal code");
  g_autofree float *host = g_new (float, (gsize) (size + 1) * 2 * width), *query = g_new (float, (gsize) queries * width);
  g_autofree float *score = g_new (float, (gsize) size * block->heads * queries), *value = g_new (float, (gsize) size * width);
  const float *bias = host + (gsize) size * 2 * width;

  if (!rvm_arena_finish (arena, error))
    return FALSE;
  rvm_queue_copy (window->queue, window->net->temporal_code, 0, codes, 0, bytes_of (size, dim));
  rvm_queue_zero (window->queue, codes, bytes_of (size, dim), bytes_of (1, dim));
  rvm_attention_readout_project (window->queue, window->net, codes, both, size + 1);
  rvm_queue_read (window->queue, both, 0, host, bytes_of (size + 1, 2 * width));
  rvm_queue_read (window->queue, (RvmBuffer *) window->query, 0, query, bytes_of (queries, width));
  if (!rvm_queue_finish (window->queue, error))
    return FALSE;
  for (guint age = 0; age < size; age++) {
    const float *key = host + (gsize) age * 2 * width;

    for (guint c = 0; c < width; c++)
      value[(gsize) age * width + c] = key[width + c] - bias[width + c];
    for (guint head = 0; head < block->heads; head++)
      for (guint q = 0; q < queries; q++) {
        double sum = 0;

        for (guint c = head * head_dim; c < (head + 1) * head_dim; c++)
          sum += (double) query[(gsize) q * width + c] * ((double) key[c] - bias[c]);
        score[((gsize) age * block->heads + head) * queries + q] = sum / sqrt (head_dim) * M_LOG2E;
      }
  }
  rvm_queue_write (window->queue, window->score, 0, score, bytes_of ((guint64) size * block->heads, queries));
  rvm_queue_write (window->queue, window->value, 0, value, bytes_of (size, width));
  return rvm_queue_finish (window->queue, error);
}

static void
stop (gpointer data)
{
  Window *window = data;

  if (window == NULL)
    return;
  g_clear_pointer (&window->queue, rvm_queue_free);
  g_clear_pointer (&window->arena, rvm_arena_free);
  g_free (window->pooled);
  g_free (window->outputs);
  g_free (window);
}

static void
take_buffers (Window *window)
{
  const RvmAttentionReadoutConfig *config = &window->net->config;
  const guint64 size = get_size (window), queries = window->queries, heads = config->block.heads;
  const RvmReadoutShape shape = { 1, 1, window->tokens, window->queries };

  window->arena = rvm_arena_new (window->readout->device);
  rvm_readout_activations_take (&window->act, window->arena, config, &shape);
  if (config->code)
    window->places = rvm_arena_take (window->arena, queries, config->code, "positional encodings");
  window->state = rvm_arena_take (window->arena, window->tokens, config->dim, "state");
  if (window->readout->info->reference != RVM_REFERENCE_NONE) {
    window->past = rvm_arena_take (window->arena, size * window->tokens, config->dim, "states of the window");
    window->reference = rvm_arena_take (window->arena, window->tokens, config->dim, "reference");
    window->less = rvm_arena_take (window->arena, window->tokens, config->dim, "state less the reference");
  }
  window->attended = rvm_arena_take (window->arena, size * queries, config->block.dim, "attention of states");
  window->log_sum_exp = rvm_arena_take (window->arena, size * heads, queries, "log-sum-exp of states");
  window->score = rvm_arena_take (window->arena, size * heads, queries, "temporal code");
  window->value = rvm_arena_take (window->arena, size, config->block.dim, "temporal code");
  window->slot = rvm_arena_take (window->arena, size, 1, "slots");
}

static gpointer
start (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  Window *window = g_new0 (Window, 1);
  g_autofree float *places = NULL;

  window->readout = readout;
  window->net = readout->network;
  window->rows = rows;
  window->columns = columns;
  window->tokens = 1 + (readout->info->cells ? readout->info->cells * readout->info->cells : rows * columns);
  window->queries = window->net->config.code ? rows * columns : window->net->config.queries;
  if (readout->info->cells)
    window->pooled = g_new (float, (gsize) window->tokens * readout->dim);
  window->outputs = g_new (float, (gsize) window->queries * window->net->config.outputs);
  window->queue = rvm_queue_new (readout->device, FALSE, error);
  if (window->queue == NULL)
    goto failed;
  take_buffers (window);
  if (!rvm_arena_finish (window->arena, error))
    goto failed;
  if (window->places) {
    places = g_new (float, (gsize) window->queries * window->net->config.code);
    rvm_attention_readout_code_places (window->net->config.code, rows, columns, places);
    rvm_queue_write (window->queue, window->places, 0, places, bytes_of (window->queries, window->net->config.code));
  }
  window->query = rvm_attention_readout_make_queries (window->queue, window->net, window->places, &window->act, window->queries);
  if (!make_code_tables (window, error))
    goto failed;
  return window;

failed:
  stop (window);
  return NULL;
}

static void
reset (gpointer data)
{
  Window *window = data;

  window->n = window->next = 0;
}

/* Attention to @state alone, kept in @slot. */
static void
attend (Window *window, const RvmBuffer *state, guint slot)
{
  const RvmTransformerConfig *block = &window->net->config.block;
  const RvmAttention attention = rvm_attention_readout_describe (window->net, window->query, &window->act, 1, window->queries, window->tokens);
  const gsize attended = bytes_of (window->queries, block->dim), sums = bytes_of (block->heads, window->queries);

  rvm_norm_forward (window->queue, &window->net->norm, state, window->act.norm, window->tokens);
  rvm_attention_readout_project (window->queue, window->net, window->act.norm, window->act.keys_values, window->tokens);
  rvm_attention (window->queue, &attention);
  rvm_queue_copy (window->queue, window->act.attended, 0, window->attended, slot * attended, attended);
  rvm_queue_copy (window->queue, window->act.log_sum_exp, 0, window->log_sum_exp, slot * sums, sums);
}

/* The state that all are taken less of: the oldest, or the mean. The states are in the first n slots. */
static void
make_reference (Window *window)
{
  const gsize bytes = bytes_of (window->tokens, window->net->config.dim);
  const guint values = window->tokens * window->net->config.dim;

  if (window->readout->info->reference == RVM_REFERENCE_FIRST)
    rvm_queue_copy (window->queue, window->past, window->order[window->n - 1] * bytes, window->reference, 0, bytes);
  else
    rvm_mean_rows (window->queue, rvm_tensor (window->past, window->n, values), rvm_tensor (window->reference, 1, values));
}

static void
attend_less_reference (Window *window)
{
  const guint dim = window->net->config.dim;
  const gsize bytes = bytes_of (window->tokens, dim);

  rvm_queue_copy (window->queue, window->state, 0, window->past, window->order[0] * bytes, bytes);
  make_reference (window);
  for (guint age = 0; age < window->n; age++) {
    rvm_queue_copy (window->queue, window->past, window->order[age] * bytes, window->state, 0, bytes);
    rvm_subtract_rows (window->queue, rvm_tensor (window->state, window->tokens, dim), rvm_tensor (window->reference, window->tokens, dim),
        rvm_tensor (window->less, window->tokens, dim));
    attend (window, window->less, window->order[age]);
  }
}

static void
answer (Window *window)
{
  const RvmTransformerConfig *block = &window->net->config.block;
  const guint size = get_size (window), queries = window->queries, heads = block->heads;

  rvm_queue_write (window->queue, window->slot, 0, window->order, window->n * sizeof *window->order);
  rvm_join_window (window->queue, &(RvmWindowJoin){
                                      .attended = rvm_tensor (window->attended, size * queries, block->dim),
                                      .log_sum_exp = rvm_tensor (window->log_sum_exp, size * heads, queries), .slot = window->slot,
                                      .score = rvm_tensor (window->score, size * heads, queries), .value = rvm_tensor (window->value, size, block->dim),
                                      .out = rvm_tensor (window->act.attended, queries, block->dim), .n = window->n, .slots = size, .heads = heads,
                                  });
  rvm_attention_readout_finish (window->queue, window->net, window->query, &window->act, queries);
  rvm_queue_read (window->queue, window->act.outputs, 0, window->outputs, bytes_of (queries, window->net->config.outputs));
}

static const float *
push (gpointer data, const float *features, guint *states, GError **error)
{
  Window *window = data;
  const guint size = get_size (window);
  RvmTurns *turns = rvm_device_get_turns (window->readout->device);
  gboolean done;

  window->n = MIN (window->n + 1, size);
  for (guint age = 0; age < window->n; age++)
    window->order[age] = (window->next + size - age) % size;
  window->next = (window->next + 1) % size;
  if (window->pooled) {
    rvm_pooled_tokens (features, window->rows, window->columns, window->net->config.dim, window->readout->info->cells, window->pooled);
    features = window->pooled;
  }

  rvm_turns_take (turns);
  rvm_queue_write (window->queue, window->state, 0, features, bytes_of (window->tokens, window->net->config.dim));
  if (window->past)
    attend_less_reference (window);
  else
    attend (window, window->state, window->order[0]);
  answer (window);
  done = rvm_queue_finish (window->queue, error);
  rvm_turns_end (turns);
  *states = window->n;
  return done ? window->outputs : NULL;
}

static guint64
get_bytes (gconstpointer data)
{
  return rvm_arena_get_bytes (((const Window *) data)->arena);
}

static void
unload (RvmReadout *readout)
{
  if (readout->network)
    rvm_attention_readout_clear (readout->network);
  g_clear_pointer (&readout->network, g_free);
}

static gboolean
load (RvmReadout *readout, RvmWeights *weights, const RvmReadoutOptions *options, GPtrArray **parameters, GError **error)
{
  RvmAttentionReadoutConfig config;
  g_autoptr (RvmLoader) loader = NULL;
  RvmSchema schema;

  if (!rvm_attention_readout_read_config (&config, weights, error))
    return FALSE;
  if (readout->info->window > config.window) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'window': expected at most %u, as the temporal code has, found %u", readout->path,
        config.window, readout->info->window);
    return FALSE;
  }
  schema = rvm_attention_readout_get_schema (&config);
  loader = rvm_loader_new (weights, &schema, readout->device, options->gemm, options->precision);
  if (parameters)
    rvm_loader_keep_parameters (loader);
  readout->dim = config.dim;
  readout->queries = config.code ? 0 : config.queries;
  readout->outputs = config.outputs;
  readout->network = g_new0 (RvmAttentionReadout, 1);
  rvm_attention_readout_load (readout->network, loader, &config);
  if (!rvm_loader_finish (loader, error))
    return FALSE;
  if (parameters)
    *parameters = rvm_loader_steal_parameters (loader);
  return TRUE;
}

const RvmReadoutNetwork rvm_attention_network = {
  .load = load, .unload = unload, .start = start, .stop = stop, .reset = reset, .push = push, .get_bytes = get_bytes,
};
