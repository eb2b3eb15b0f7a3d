/* Launchers of the forward kernels: they choose the build options and the global size, nothing else. */
#include "tokens.h"

#include "chain.h"
#include "linear_private.h"
#include "kernels/runtime/cl.h"
#include "tiles.h"

void
rvm_patches (RvmQueue *queue, const RvmBuffer *pixels, RvmBuffer *out, guint batch, guint rows, guint columns, guint patch)
{
  const gsize global[2] = { (gsize) batch * (1 + (gsize) rows * columns), patch };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (pixels), RVM_ARG_BUFFER (out), RVM_ARG_UINT (rows), RVM_ARG_UINT (columns), RVM_ARG_UINT (patch),
  };

  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "patches", "patches", ""), "patches", 2, global, NULL, G_N_ELEMENTS (args), args);
}

void
rvm_visible_patches (RvmQueue *queue, const RvmBuffer *pixels, const RvmBuffer *visible, RvmBuffer *out, guint batch, guint kept,
    guint rows, guint columns, guint patch)
{
  const gsize global[2] = { (gsize) batch * kept, patch };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (pixels), RVM_ARG_BUFFER (visible), RVM_ARG_BUFFER (out), RVM_ARG_UINT (kept), RVM_ARG_UINT (rows),
    RVM_ARG_UINT (columns), RVM_ARG_UINT (patch),
  };

  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "patches", "visible_patches", ""), "visible_patches", 2, global, NULL,
      G_N_ELEMENTS (args), args);
}

void
rvm_token_table (RvmQueue *queue, const RvmBuffer *class_token, const RvmBuffer *bias, const RvmBuffer *position, RvmBuffer *out,
    guint patches, guint dim)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (class_token), RVM_ARG_BUFFER (bias), RVM_ARG_BUFFER (position), RVM_ARG_BUFFER (out), RVM_ARG_UINT (dim),
  };

  rvm_queue_launch_columns (queue, "tokens", "token_table", dim, 1 + (gsize) patches, G_N_ELEMENTS (args), args);
}

void
rvm_gather_rows (RvmQueue *queue, const RvmBuffer *x, const RvmBuffer *index, RvmBuffer *out, guint rows, guint dim)
{
  const RvmArg args[] = { RVM_ARG_BUFFER (x), RVM_ARG_BUFFER (index), RVM_ARG_BUFFER (out), RVM_ARG_UINT (dim) };

  rvm_queue_launch_columns (queue, "tokens", "gather_rows", dim, rows, G_N_ELEMENTS (args), args);
}

void
rvm_put_frame (RvmQueue *queue, const RvmBuffer *one, RvmBuffer *frames, const RvmFrameOf *which)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (one), RVM_ARG_BUFFER (frames), RVM_ARG_UINT (which->n), RVM_ARG_UINT (which->frame), RVM_ARG_UINT (which->rows),
    RVM_ARG_UINT (which->dim),
  };

  rvm_queue_launch_columns (queue, "tokens", "put_frame", which->dim, (gsize) which->samples * which->rows, G_N_ELEMENTS (args), args);
}

void
rvm_get_frame (RvmQueue *queue, const RvmBuffer *frames, const RvmBuffer *added, RvmBuffer *one, const RvmFrameOf *which)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (frames), RVM_ARG_BUFFER (added ? added : one), RVM_ARG_BUFFER (one), RVM_ARG_UINT (which->n),
    RVM_ARG_UINT (which->frame), RVM_ARG_UINT (which->rows), RVM_ARG_UINT (which->dim), RVM_ARG_UINT (added != NULL),
  };

  rvm_queue_launch_columns (queue, "tokens", "get_frame", which->dim, (gsize) which->samples * which->rows, G_N_ELEMENTS (args), args);
}

void
rvm_decoder_tokens (RvmQueue *queue, const RvmDecoderTokens *tokens)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (tokens->embedded), RVM_ARG_BUFFER (tokens->slot), RVM_ARG_BUFFER (tokens->mask_token),
    RVM_ARG_BUFFER (tokens->position), RVM_ARG_BUFFER (tokens->gap_kernel), RVM_ARG_BUFFER (tokens->gap_bias),
    RVM_ARG_BUFFER (tokens->gap), RVM_ARG_BUFFER (tokens->out), RVM_ARG_UINT (tokens->kept), RVM_ARG_UINT (tokens->tokens),
    RVM_ARG_UINT (tokens->dim),
  };

  rvm_queue_launch_columns (queue, "tokens", "decoder_tokens", tokens->dim, (gsize) tokens->pictures * tokens->tokens,
      G_N_ELEMENTS (args), args);
}

void
rvm_add_position (RvmQueue *queue, RvmBuffer *x, const RvmBuffer *position, guint pictures, guint tokens, guint dim)
{
  const RvmArg args[] = { RVM_ARG_BUFFER (x), RVM_ARG_BUFFER (position), RVM_ARG_UINT (tokens), RVM_ARG_UINT (dim) };

  rvm_queue_launch_columns (queue, "tokens", "add_position", dim, (gsize) pictures * tokens, G_N_ELEMENTS (args), args);
}

void
rvm_layernorm_launch_step (RvmQueue *queue, const RvmChainStep *step)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (step->a), RVM_ARG_BUFFER (step->w), RVM_ARG_BUFFER (step->bias ? step->bias : step->w),
    RVM_ARG_UINT (step->bias != NULL), RVM_ARG_BUFFER (step->out), RVM_ARG_UINT (step->n), RVM_ARG_FLOAT (step->epsilon),
  };

  rvm_queue_launch_rows (queue, "norm", "layernorm", step->m, G_N_ELEMENTS (args), args);
}

void
rvm_layernorm (RvmQueue *queue, const RvmBuffer *x, const RvmBuffer *scale, const RvmBuffer *bias, RvmBuffer *out, guint rows,
    guint dim, float epsilon)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const RvmChainStep step = {
    .is_norm = TRUE, .a = x, .a_stride = dim, .w = scale, .bias = bias, .out = out, .out_stride = dim, .m = rows, .n = dim, .k = dim,
    .flags = bias ? RVM_EPILOGUE_BIAS : 0, .epsilon = epsilon,
  };

  if (!rvm_chain_add (queue, &tiles, &step))
    rvm_layernorm_launch_step (queue, &step);
}

void
rvm_gate_context (RvmQueue *queue, RvmBuffer *gates, const RvmBuffer *state, const RvmBuffer *scale, RvmBuffer *context,
    RvmBuffer *update_mean, guint rows, guint dim, float epsilon)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gates), RVM_ARG_BUFFER (state), RVM_ARG_BUFFER (scale), RVM_ARG_BUFFER (context),
    RVM_ARG_BUFFER (update_mean), RVM_ARG_UINT (dim), RVM_ARG_FLOAT (epsilon),
  };

  rvm_queue_launch_rows (queue, "gate", "gate_context", rows, G_N_ELEMENTS (args), args);
}

void
rvm_state_update (RvmQueue *queue, const RvmBuffer *gates, const RvmBuffer *state, const RvmBuffer *candidate, RvmBuffer *out,
    guint rows, guint dim)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gates), RVM_ARG_BUFFER (state), RVM_ARG_BUFFER (candidate), RVM_ARG_BUFFER (out), RVM_ARG_UINT (dim),
  };

  rvm_queue_launch_rows (queue, "gate", "state_update", rows, G_N_ELEMENTS (args), args);
}

/* Fewer vectors of queries a work-item when there would be too few work-items for the device's units, or when most lanes of the
 * second vector would be past the end (257 queries are 9 blocks of 32 or 17 of 16). */
static guint
choose_queries (const RvmTiles *tiles, const RvmAttention *attention)
{
  const guint lanes = tiles->attention_queries * tiles->vector;

  return attention->queries <= tiles->vector || attention->queries < lanes ? 1 : tiles->attention_queries;
}

/* On a CPU a block has about tiles.key_block keys, so many that none is left for a small one at the end (65 keys are one block of 68, 257 are 3 of
 * 88): up to 2.5 times as many. */
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
  const guint queries = choose_queries (&tiles, attention), lanes = queries * tiles.vector;
  const guint head_dim = attention->head_dim;
  const gsize items = (attention->queries + lanes - 1) / lanes;
  const gsize global[3] = { (items + tiles.group - 1) / tiles.group * tiles.group, attention->heads, attention->batch };
  const gsize local[3] = { tiles.group, 1, 1 };
  guint dim_tile = tiles.dim_tile, most_keys = tiles.group == 1 ? choose_most_keys (&tiles) : tiles.key_block;
  char options[256];

  while (head_dim % dim_tile != 0)
    dim_tile--;
  /* 32 KiB of local memory is what OpenCL guarantees; half of it lets two groups share a compute unit. */
  while (tiles.group > 1 && most_keys > tiles.key_tile && (gsize) 2 * most_keys * head_dim * sizeof (float) > 16 * 1024)
    most_keys -= tiles.key_tile;
  g_snprintf (options, sizeof options,
      "-DRVM_VECTOR=%u -DRVM_GROUP=%u -DRVM_HEAD_DIM=%u -DRVM_QUERIES=%u -DRVM_KEY_TILE=%u -DRVM_DIM_TILE=%u -DRVM_KEY_BLOCK=%u",
      tiles.vector, tiles.group, head_dim, queries, tiles.key_tile, dim_tile, most_keys);

  const RvmArg args[] = {
    RVM_ARG_BUFFER (attention->query), RVM_ARG_UINT (attention->query_offset), RVM_ARG_UINT (attention->query_stride),
    RVM_ARG_BUFFER (attention->key), RVM_ARG_UINT (attention->key_offset), RVM_ARG_UINT (attention->key_stride),
    RVM_ARG_BUFFER (attention->value), RVM_ARG_UINT (attention->value_offset), RVM_ARG_UINT (attention->value_stride),
    RVM_ARG_BUFFER (attention->out), RVM_ARG_BUFFER (attention->normaliser), RVM_ARG_UINT (attention->queries), RVM_ARG_UINT (attention->keys),
    RVM_ARG_UINT (tiles.group == 1 ? divide_keys (&tiles, attention->keys) : most_keys),
  };
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "attention", "attention", options), "attention", 3, global, local,
      G_N_ELEMENTS (args), args);
}
