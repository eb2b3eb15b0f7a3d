/* Launches attention.cl: how queries and keys are divided for a device. */
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

gboolean
rvm_attention_check (RvmQueue *queue, const RvmAttention *attention)
{
  const guint queries = rvm_attention_get_queries (attention), keys = rvm_attention_get_keys (attention), batch = attention->batch;
  const guint dim = rvm_attention_get_head_dim (attention) * attention->heads;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_VIEW ("query", attention->query, batch * queries, dim),
    RVM_CHECK_VIEW ("key", attention->key, batch * keys, dim),
    RVM_CHECK_VIEW ("value", attention->value, batch * keys, dim),
    RVM_CHECK_MATRIX ("output", attention->out, batch * queries, dim),
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
