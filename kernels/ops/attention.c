/* Launches attention.cl, or on matrix units matrix_attention.cl: how queries and keys are divided for a device. */
#include "attention.h"

#include "kernels/runtime/launch.h"
#include "tiles.h"

guint
rvm_attention_get_queries (const RvmAttention *attention)
{
  return attention->query.rows / attention->batch;
}

guint
rvm_attention_get_keys (const RvmAttention *attention)
{
  return attention->key.rows / attention->batch;
}

guint
rvm_attention_get_head_dim (const RvmAttention *attention)
{
  return attention->query.width / attention->heads;
}

static gboolean
is_on_units (RvmQueue *queue, const RvmAttention *attention)
{
  return attention->query.type == RVM_ELEMENT_BF16
      && rvm_matrix_units_are_usable (rvm_device_get_matrix_units (rvm_queue_get_device (queue)));
}

gboolean
rvm_attention_check (RvmQueue *queue, const RvmAttention *attention)
{
  const guint queries = rvm_attention_get_queries (attention), keys = rvm_attention_get_keys (attention), batch = attention->batch;
  const guint dim = rvm_attention_get_head_dim (attention) * attention->heads;
  const RvmElement type = is_on_units (queue, attention) ? RVM_ELEMENT_BF16 : RVM_ELEMENT_F32;
  const RvmTensorCheck checks[] = {
    { "query", attention->query, batch * queries, dim, RVM_TENSOR_STRIDED, type },
    { "key", attention->key, batch * keys, dim, RVM_TENSOR_STRIDED, type },
    { "value", attention->value, batch * keys, dim, RVM_TENSOR_STRIDED, type },
    { "output", attention->out, batch * queries, dim, RVM_TENSOR_CONTIGUOUS, type },
    RVM_CHECK_MATRIX ("logarithm of the sum of exponentials", attention->log_sum_exp, batch * attention->heads, queries),
  };

  return rvm_tensors_check (queue, "attention", checks, G_N_ELEMENTS (checks));
}

/* Vectors of queries of a work-item: one instead of several if there are so few queries that lanes would be left without one. */
static guint
choose_query_vectors (const RvmTiles *tiles, guint queries)
{
  return queries <= tiles->vector || queries < tiles->attention_queries * tiles->vector ? 1 : tiles->attention_queries;
}

/* On a CPU a block has about tiles.key_block keys, but so many that no small block is left at the end: 65 keys are one block of 68, 257 are three of
 * 88. This is the most it can have, 2.5 times as many. */
static guint
choose_most_keys (const RvmTiles *tiles)
{
  return ((tiles->key_block * 5 + 1) / 2 + tiles->key_tile - 1) / tiles->key_tile * tiles->key_tile;
}

static guint
divide_keys (const RvmTiles *tiles, guint keys)
{
  const guint blocks = MAX ((keys + tiles->key_block / 2) / (tiles->key_block + tiles->key_block / 2), 1);
  const guint block = (keys + blocks - 1) / blocks;

  return (block + tiles->key_tile - 1) / tiles->key_tile * tiles->key_tile;
}

/* Parts of the queries of a head, each a work-group, which all pack the keys and values of their head: the fewest whose groups leave the compute units
 * of @device about equally busy. */
static guint
choose_parts (const RvmDevice *device, guint heads, guint queries)
{
  const guint units = MAX (1, rvm_device_get_compute_units (device)), pair = 2 * rvm_units_get_rows (device), most = (queries + pair - 1) / pair;
  guint best = 1;
  double least = G_MAXDOUBLE;

  for (guint parts = 1; parts <= most; parts++) {
    const guint64 groups = (guint64) heads * parts;
    const double rows = (double) ((groups + units - 1) / units) * ((queries + parts - 1) / parts); /* of the busiest unit */

    if (rows < 0.95 * least) {
      best = parts;
      least = rows;
    }
  }
  return best;
}

static void
attend_on_units (RvmQueue *queue, const RvmAttention *attention)
{
  const guint queries = rvm_attention_get_queries (attention), keys = rvm_attention_get_keys (attention);
  const guint head_dim = rvm_attention_get_head_dim (attention), heads = attention->heads, batch = attention->batch;
  const guint parts = choose_parts (rvm_queue_get_device (queue), heads * batch, queries);
  const gsize padded = (gsize) (keys + 31) / 32 * 32, padded_dim = (gsize) (head_dim + 31) / 32 * 32;
  /* Keys and values, 32 queries, their scores and probabilities: see cl/matrix_attention.cl. */
  const gsize bytes = padded * padded_dim * 2 * 2 + 32 * padded_dim * 2 + 32 * padded * (4 + 2);
  RvmBuffer *scratch = rvm_queue_get_scratch (queue, bytes * parts * heads * batch);
  char options[64];

  if (scratch == NULL)
    return;
  g_snprintf (options, sizeof options, "%s -DRVM_HEAD_DIM=%u", rvm_units_get_options (rvm_queue_get_device (queue)), head_dim);

  const RvmArg args[] = {
    RVM_ARGS_TENSOR (attention->query), RVM_ARGS_TENSOR (attention->key), RVM_ARGS_TENSOR (attention->value),
    RVM_ARG_BUFFER (attention->out.buffer), RVM_ARG_BUFFER (attention->log_sum_exp.buffer), RVM_ARG_UINT (queries), RVM_ARG_UINT (keys),
    RVM_ARG_UINT (padded), RVM_ARG_BUFFER (scratch), RVM_ARG_UINT (bytes / 64),
  };
  rvm_queue_launch (queue, &(RvmKernel){ "matrix_attention", "matrix_attention", options, NULL }, 3, (const gsize[]){ parts, heads, batch },
      (const gsize[]){ 1, 1, 1 }, G_N_ELEMENTS (args), args);
}

void
rvm_attention (RvmQueue *queue, const RvmAttention *attention)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const guint queries = rvm_attention_get_queries (attention), keys = rvm_attention_get_keys (attention);
  const guint head_dim = rvm_attention_get_head_dim (attention);
  const guint vectors = choose_query_vectors (&tiles, queries), lanes = vectors * tiles.vector;
  const gsize items = (queries + lanes - 1) / lanes;
  const gsize global[3] = { (items + tiles.group - 1) / tiles.group * tiles.group, attention->heads, attention->batch };
  const gsize local[3] = { tiles.group, 1, 1 };
  guint dim_tile = tiles.dim_tile, most_keys = tiles.group == 1 ? choose_most_keys (&tiles) : tiles.key_block;
  char options[256];

  if (!rvm_attention_check (queue, attention))
    return;
  if (is_on_units (queue, attention)) {
    attend_on_units (queue, attention);
    return;
  }
  while (head_dim % dim_tile != 0)
    dim_tile--;
  /* OpenCL guarantees 32 KiB of local memory; half of it lets two groups share a compute unit. */
  while (tiles.group > 1 && most_keys > tiles.key_tile && (gsize) 2 * most_keys * head_dim * sizeof (float) > 16 * 1024)
    most_keys -= tiles.key_tile;
  g_snprintf (options, sizeof options,
      "-DRVM_VECTOR=%u -DRVM_GROUP=%u -DRVM_HEAD_DIM=%u -DRVM_QUERIES=%u -DRVM_KEY_TILE=%u -DRVM_DIM_TILE=%u -DRVM_KEY_BLOCK=%u",
      tiles.vector, tiles.group, head_dim, vectors, tiles.key_tile, dim_tile, most_keys);

  const RvmArg args[] = {
    RVM_ARGS_TENSOR (attention->query), RVM_ARGS_TENSOR (attention->key), RVM_ARGS_TENSOR (attention->value),
    RVM_ARG_BUFFER (attention->out.buffer), RVM_ARG_BUFFER (attention->log_sum_exp.buffer), RVM_ARG_UINT (queries), RVM_ARG_UINT (keys),
    RVM_ARG_UINT (tiles.group == 1 ? divide_keys (&tiles, keys) : most_keys),
  };
  rvm_queue_launch (queue, &(RvmKernel){ "attention", "attention", options, NULL }, 3, global, local, G_N_ELEMENTS (args), args);
}
