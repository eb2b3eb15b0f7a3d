/* Launches attention_backward.cl, or attention_backward_whole.cl if there are many heads for each compute unit. */
#include "attention_backward.h"

#include "kernels/error.h"
#include "kernels/runtime/launch.h"
#include "tiles.h"

#define MOST_KEYS 112   /* of a block of attention_backward_whole.cl, with heads of up to 32 elements */
#define MOST_QUERIES 65 /* of a block there: its arrays then take 150 KiB of stack */

static gboolean
has_layout_of (const RvmTensor *gradient, const RvmTensor *forward)
{
  return gradient->offset == forward->offset && gradient->stride == forward->stride;
}

static gboolean
check (RvmQueue *queue, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const guint dim = forward->query.width, heads = forward->batch * forward->heads;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("gradient of the output", backward->dout, forward->query.rows, dim),
    RVM_CHECK_VIEW ("gradient of the query", backward->dquery, forward->query.rows, dim),
    RVM_CHECK_VIEW ("gradient of the key", backward->dkey, forward->key.rows, dim),
    RVM_CHECK_VIEW ("gradient of the value", backward->dvalue, forward->value.rows, dim),
    RVM_CHECK_MATRIX ("scratch", backward->delta, heads, rvm_attention_get_queries (forward)),
  };

  if (!rvm_attention_check (queue, forward) || !rvm_tensors_check (queue, "backward pass of attention", checks, G_N_ELEMENTS (checks)))
    return FALSE;
  if (has_layout_of (&backward->dquery, &forward->query) && has_layout_of (&backward->dkey, &forward->key)
      && has_layout_of (&backward->dvalue, &forward->value))
    return TRUE;
  rvm_queue_fail (queue, g_error_new_literal (RVM_ERROR, RVM_ERROR_ARGUMENT,
                             "backward pass of attention: gradients of query, key and value must have their offsets and strides"));
  return FALSE;
}

/* One work-item for each head of a picture. */
static void
launch_whole (RvmQueue *queue, const RvmTiles *tiles, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const guint queries = rvm_attention_get_queries (forward), keys = rvm_attention_get_keys (forward);
  const guint head_dim = rvm_attention_get_head_dim (forward), most = head_dim <= 32 ? MOST_KEYS : MOST_KEYS * 32 / head_dim;
  const guint key_blocks = (keys + MAX (most, tiles->vector) - 1) / MAX (most, tiles->vector);
  const guint query_blocks = (queries + MOST_QUERIES - 1) / MOST_QUERIES;
  const guint block_keys = (keys + key_blocks - 1) / key_blocks, block_queries = (queries + query_blocks - 1) / query_blocks;
  char options[192];

  g_snprintf (options, sizeof options,
      "-DRVM_VECTOR=%u -DRVM_HEAD_DIM=%u -DRVM_KEY_VECTORS=%u -DRVM_QUERY_BLOCK=%u -DRVM_LANE_TILE=%u", tiles->vector, head_dim,
      (block_keys + tiles->vector - 1) / tiles->vector, (block_queries + 4) / 5 * 5, tiles->vector >= 16 ? 5 : 2);
  const RvmArg args[] = {
    RVM_ARGS_TENSOR (forward->query), RVM_ARGS_TENSOR (forward->key), RVM_ARGS_TENSOR (forward->value),
    RVM_ARG_BUFFER (forward->log_sum_exp.buffer), RVM_ARG_BUFFER (forward->out.buffer), RVM_ARG_BUFFER (backward->dout.buffer),
    RVM_ARG_BUFFER (backward->delta.buffer), RVM_ARG_BUFFER (backward->dquery.buffer), RVM_ARG_BUFFER (backward->dkey.buffer),
    RVM_ARG_BUFFER (backward->dvalue.buffer), RVM_ARG_UINT (queries), RVM_ARG_UINT (keys),
  };
  rvm_queue_launch (queue, &(RvmKernel){ "attention_backward_whole", "attention_backward_whole", options, NULL }, 2,
      (const gsize[]){ forward->heads, forward->batch }, (const gsize[]){ 1, 1 }, G_N_ELEMENTS (args), args);
}

/* Two kernels, for queries and for keys. @options: for both. */
static void
launch_queries (RvmQueue *queue, const RvmTiles *tiles, const char *options, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const guint queries = rvm_attention_get_queries (forward), lanes = tiles->vector * tiles->attention_lanes;
  const gsize items = (queries + lanes - 1) / lanes;
  const gsize global[3] = { (items + tiles->group - 1) / tiles->group * tiles->group, forward->heads, forward->batch };
  const RvmArg args[] = {
    RVM_ARGS_TENSOR (forward->query), RVM_ARGS_TENSOR (forward->key), RVM_ARGS_TENSOR (forward->value),
    RVM_ARG_BUFFER (forward->log_sum_exp.buffer), RVM_ARG_BUFFER (forward->out.buffer), RVM_ARG_BUFFER (backward->dout.buffer),
    RVM_ARG_BUFFER (backward->dquery.buffer), RVM_ARG_BUFFER (backward->delta.buffer), RVM_ARG_UINT (queries),
    RVM_ARG_UINT (rvm_attention_get_keys (forward)),
  };

  rvm_queue_launch (queue, &(RvmKernel){ "attention_backward", "attention_backward_queries", options, NULL }, 3, global,
      (const gsize[]){ tiles->group, 1, 1 }, G_N_ELEMENTS (args), args);
}

static void
launch_keys (RvmQueue *queue, const RvmTiles *tiles, const char *options, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const guint keys = rvm_attention_get_keys (forward), lanes = tiles->vector * tiles->attention_lanes;
  const gsize items = (keys + lanes - 1) / lanes;
  const gsize global[3] = { (items + tiles->group - 1) / tiles->group * tiles->group, forward->heads, forward->batch };
  const RvmArg args[] = {
    RVM_ARGS_TENSOR (forward->query), RVM_ARGS_TENSOR (forward->key), RVM_ARGS_TENSOR (forward->value),
    RVM_ARG_BUFFER (forward->log_sum_exp.buffer), RVM_ARG_BUFFER (backward->delta.buffer), RVM_ARG_BUFFER (backward->dout.buffer),
    RVM_ARG_BUFFER (backward->dkey.buffer), RVM_ARG_BUFFER (backward->dvalue.buffer), RVM_ARG_UINT (rvm_attention_get_queries (forward)),
    RVM_ARG_UINT (keys),
  };

  rvm_queue_launch (queue, &(RvmKernel){ "attention_backward", "attention_backward_keys", options, NULL }, 3, global,
      (const gsize[]){ tiles->group, 1, 1 }, G_N_ELEMENTS (args), args);
}

void
rvm_attention_backward (RvmQueue *queue, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const gsize heads = (gsize) forward->heads * forward->batch, units = rvm_device_get_compute_units (rvm_queue_get_device (queue));
  const guint head_dim = rvm_attention_get_head_dim (forward);
  guint dim_tile = 4;
  char options[192];

  if (!check (queue, forward, backward))
    return;
  if (tiles.group == 1 && heads >= 4 * units) {
    launch_whole (queue, &tiles, forward, backward);
    return;
  }
  while (head_dim % dim_tile != 0)
    dim_tile--;
  g_snprintf (options, sizeof options,
      "-DRVM_VECTOR=%u -DRVM_GROUP=%u -DRVM_HEAD_DIM=%u -DRVM_LANES=%u -DRVM_TILE=%u -DRVM_DIM_TILE=%u -DRVM_OTHER_BLOCK=%u", tiles.vector,
      tiles.group, head_dim, tiles.attention_lanes, tiles.backward_tile, dim_tile, tiles.backward_block);
  launch_queries (queue, &tiles, options, forward, backward);
  launch_keys (queue, &tiles, options, forward, backward);
}
