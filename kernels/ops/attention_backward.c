/* Launchers of the backward kernels. */
#include "attention_backward.h"

#include "kernels/runtime/cl.h"
#include "tiles.h"

#define MOST_KEYS 112   /* of a block of attention_whole_backward.cl, for heads of up to 32 */
#define MOST_QUERIES 65 /* of a block there: a stack of 150 KiB */
#define BLOCK 32 /* RVM_BLOCK of layernorm_backward.cl and gate_backward.cl */

static guint
count_blocks (guint rows)
{
  return (rows + BLOCK - 1) / BLOCK;
}

gsize
rvm_norm_backward_scratch (guint rows, guint dim)
{
  return (gsize) count_blocks (rows) * 2 * dim;
}

void
rvm_sum_rows (RvmQueue *queue, const RvmRowSum *sum)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (sum->x), RVM_ARG_UINT (sum->offset), RVM_ARG_UINT (sum->stride), RVM_ARG_UINT (sum->pictures),
    RVM_ARG_UINT (sum->picture_rows), RVM_ARG_UINT (sum->rows), RVM_ARG_BUFFER (sum->out), RVM_ARG_UINT (sum->dim),
    RVM_ARG_UINT (sum->accumulate),
  };

  rvm_queue_launch_columns (queue, "norm_backward", "sum_rows", sum->dim, 1, G_N_ELEMENTS (args), args);
}

void
rvm_layernorm_backward (RvmQueue *queue, const RvmLayerNormBackward *norm)
{
  const guint blocks = count_blocks (norm->rows), dim = norm->dim;
  const RvmArg args[] = {
    RVM_ARG_BUFFER (norm->x), RVM_ARG_BUFFER (norm->dy), RVM_ARG_BUFFER (norm->scale), RVM_ARG_BUFFER (norm->dx),
    RVM_ARG_BUFFER (norm->scratch), RVM_ARG_UINT (norm->rows), RVM_ARG_UINT (dim), RVM_ARG_FLOAT (norm->epsilon),
    RVM_ARG_UINT (norm->accumulate_dx),
  };
  RvmRowSum sum = {
    .x = norm->scratch, .stride = 2 * dim, .pictures = 1, .picture_rows = blocks, .rows = blocks, .out = norm->dscale, .dim = dim,
    .accumulate = norm->accumulate,
  };

  rvm_queue_launch_rows (queue, "norm_backward", "layernorm_backward", blocks, G_N_ELEMENTS (args), args);
  rvm_sum_rows (queue, &sum);
  if (norm->dbias) {
    sum.offset = dim;
    sum.out = norm->dbias;
    rvm_sum_rows (queue, &sum);
  }
}

/* One work-item a head of a picture: see attention_whole_backward.cl. */
static void
attention_backward_whole (RvmQueue *queue, const RvmTiles *tiles, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const guint head_dim = forward->head_dim, most = head_dim <= 32 ? MOST_KEYS : MOST_KEYS * 32 / head_dim;
  const guint key_blocks = (forward->keys + MAX (most, tiles->vector) - 1) / MAX (most, tiles->vector);
  const guint query_blocks = (forward->queries + MOST_QUERIES - 1) / MOST_QUERIES;
  const guint block_keys = (forward->keys + key_blocks - 1) / key_blocks, block_queries = (forward->queries + query_blocks - 1) / query_blocks;
  char options[192];

  g_snprintf (options, sizeof options,
      "-DRVM_VECTOR=%u -DRVM_HEAD_DIM=%u -DRVM_KEY_VECTORS=%u -DRVM_QUERY_BLOCK=%u -DRVM_LANE_TILE=%u", tiles->vector, head_dim,
      (block_keys + tiles->vector - 1) / tiles->vector, (block_queries + 4) / 5 * 5, tiles->vector >= 16 ? 5 : 2);
  const RvmArg args[] = {
    RVM_ARG_BUFFER (forward->query), RVM_ARG_UINT (forward->query_offset), RVM_ARG_UINT (forward->query_stride),
    RVM_ARG_BUFFER (forward->key), RVM_ARG_UINT (forward->key_offset), RVM_ARG_UINT (forward->key_stride),
    RVM_ARG_BUFFER (forward->value), RVM_ARG_UINT (forward->value_offset), RVM_ARG_UINT (forward->value_stride),
    RVM_ARG_BUFFER (forward->normaliser), RVM_ARG_BUFFER (forward->out), RVM_ARG_BUFFER (backward->dout), RVM_ARG_BUFFER (backward->delta),
    RVM_ARG_BUFFER (backward->dquery), RVM_ARG_BUFFER (backward->dkey), RVM_ARG_BUFFER (backward->dvalue),
    RVM_ARG_UINT (forward->queries), RVM_ARG_UINT (forward->keys),
  };
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "attention_backward_whole", "attention_backward_whole", options),
      "attention_backward_whole", 2, (const gsize[]){ forward->heads, forward->batch }, (const gsize[]){ 1, 1 }, G_N_ELEMENTS (args), args);
}

void
rvm_attention_backward (RvmQueue *queue, const RvmAttention *forward, const RvmAttentionBackward *backward)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const guint head_dim = forward->head_dim, lanes = tiles.vector * tiles.attention_lanes;
  const gsize query_items = (forward->queries + lanes - 1) / lanes, key_items = (forward->keys + lanes - 1) / lanes;
  const gsize local[3] = { tiles.group, 1, 1 };
  guint dim_tile = 4;
  char options[192];

  if (tiles.group == 1 && (gsize) forward->heads * forward->batch >= 4 * (gsize) rvm_device_get_compute_units (rvm_queue_get_device (queue))) {
    attention_backward_whole (queue, &tiles, forward, backward);
    return;
  }
  while (head_dim % dim_tile != 0)
    dim_tile--;
  g_snprintf (options, sizeof options,
      "-DRVM_VECTOR=%u -DRVM_GROUP=%u -DRVM_HEAD_DIM=%u -DRVM_LANES=%u -DRVM_TILE=%u -DRVM_DIM_TILE=%u -DRVM_OTHER_BLOCK=%u", tiles.vector,
      tiles.group, head_dim, tiles.attention_lanes, tiles.back_tile, dim_tile, tiles.back_block);

  const RvmArg query_args[] = {
    RVM_ARG_BUFFER (forward->query), RVM_ARG_UINT (forward->query_offset), RVM_ARG_UINT (forward->query_stride),
    RVM_ARG_BUFFER (forward->key), RVM_ARG_UINT (forward->key_offset), RVM_ARG_UINT (forward->key_stride),
    RVM_ARG_BUFFER (forward->value), RVM_ARG_UINT (forward->value_offset), RVM_ARG_UINT (forward->value_stride),
    RVM_ARG_BUFFER (forward->normaliser), RVM_ARG_BUFFER (forward->out), RVM_ARG_BUFFER (backward->dout),
    RVM_ARG_BUFFER (backward->dquery), RVM_ARG_BUFFER (backward->delta), RVM_ARG_UINT (forward->queries), RVM_ARG_UINT (forward->keys),
  };
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "attention_backward", "attention_backward_queries", options),
      "attention_backward_queries", 3,
      (const gsize[]){ (query_items + tiles.group - 1) / tiles.group * tiles.group, forward->heads, forward->batch }, local,
      G_N_ELEMENTS (query_args), query_args);

  const RvmArg key_args[] = {
    RVM_ARG_BUFFER (forward->query), RVM_ARG_UINT (forward->query_offset), RVM_ARG_UINT (forward->query_stride),
    RVM_ARG_BUFFER (forward->key), RVM_ARG_UINT (forward->key_offset), RVM_ARG_UINT (forward->key_stride),
    RVM_ARG_BUFFER (forward->value), RVM_ARG_UINT (forward->value_offset), RVM_ARG_UINT (forward->value_stride),
    RVM_ARG_BUFFER (forward->normaliser), RVM_ARG_BUFFER (backward->delta), RVM_ARG_BUFFER (backward->dout),
    RVM_ARG_BUFFER (backward->dkey), RVM_ARG_BUFFER (backward->dvalue), RVM_ARG_UINT (forward->queries), RVM_ARG_UINT (forward->keys),
  };
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "attention_backward", "attention_backward_keys", options),
      "attention_backward_keys", 3,
      (const gsize[]){ (key_items + tiles.group - 1) / tiles.group * tiles.group, forward->heads, forward->batch }, local,
      G_N_ELEMENTS (key_args), key_args);
}

void
rvm_state_update_backward (RvmQueue *queue, const RvmBuffer *gates, const RvmBuffer *state, const RvmBuffer *candidate,
    const RvmBuffer *dnext, RvmBuffer *dcandidate, RvmBuffer *dstate, RvmBuffer *dgates, guint rows, guint dim)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gates), RVM_ARG_BUFFER (state), RVM_ARG_BUFFER (candidate), RVM_ARG_BUFFER (dnext), RVM_ARG_BUFFER (dcandidate),
    RVM_ARG_BUFFER (dstate), RVM_ARG_BUFFER (dgates), RVM_ARG_UINT (dim),
  };

  rvm_queue_launch_rows (queue, "gate_backward", "state_update_backward", rows, G_N_ELEMENTS (args), args);
}

void
rvm_gate_context_backward (RvmQueue *queue, const RvmGateContextBackward *gate)
{
  const guint blocks = count_blocks (gate->rows);
  const RvmArg args[] = {
    RVM_ARG_BUFFER (gate->gates), RVM_ARG_BUFFER (gate->state), RVM_ARG_BUFFER (gate->scale), RVM_ARG_BUFFER (gate->dcontext),
    RVM_ARG_BUFFER (gate->dgates), RVM_ARG_BUFFER (gate->dstate), RVM_ARG_BUFFER (gate->scratch), RVM_ARG_UINT (gate->rows),
    RVM_ARG_UINT (gate->dim), RVM_ARG_FLOAT (gate->epsilon),
  };

  rvm_queue_launch_rows (queue, "gate_backward", "gate_context_backward", blocks, G_N_ELEMENTS (args), args);
  rvm_sum_rows (queue,
      &(RvmRowSum){
          .x = gate->scratch, .stride = gate->dim, .pictures = 1, .picture_rows = blocks, .rows = blocks, .out = gate->dscale,
          .dim = gate->dim, .accumulate = gate->accumulate,
      });
}

void
rvm_decoder_token_sums (RvmQueue *queue, const RvmBuffer *d, const RvmBuffer *slot, RvmBuffer *out, guint pictures, guint tokens, guint dim)
{
  const RvmArg args[] = { RVM_ARG_BUFFER (d), RVM_ARG_BUFFER (slot), RVM_ARG_BUFFER (out), RVM_ARG_UINT (tokens), RVM_ARG_UINT (dim) };

  rvm_queue_launch_columns (queue, "tokens", "decoder_token_sums", dim, pictures, G_N_ELEMENTS (args), args);
}

void
rvm_sum_by_gap (RvmQueue *queue, const RvmBuffer *x, const RvmBuffer *gap, RvmBuffer *out, guint pictures, guint gaps, guint dim,
    gboolean accumulate)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (x), RVM_ARG_BUFFER (gap), RVM_ARG_BUFFER (out), RVM_ARG_UINT (pictures), RVM_ARG_UINT (dim), RVM_ARG_UINT (accumulate),
  };

  rvm_queue_launch_columns (queue, "tokens", "sum_by_gap", dim, gaps, G_N_ELEMENTS (args), args);
}

void
rvm_reconstruction_loss (RvmQueue *queue, const RvmReconstructionLoss *loss)
{
  const gsize global = (gsize) loss->pictures * (1 + (gsize) loss->rows * loss->columns);
  const RvmArg args[] = {
    RVM_ARG_BUFFER (loss->predicted), RVM_ARG_BUFFER (loss->pixels), RVM_ARG_BUFFER (loss->slot), RVM_ARG_BUFFER (loss->dpredicted),
    RVM_ARG_BUFFER (loss->row_loss), RVM_ARG_UINT (loss->rows), RVM_ARG_UINT (loss->columns), RVM_ARG_UINT (loss->patch),
    RVM_ARG_UINT (loss->all), RVM_ARG_FLOAT (loss->scale),
  };

  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "loss", "reconstruction_loss", ""), "reconstruction_loss", 1, &global, NULL,
      G_N_ELEMENTS (args), args);
}
