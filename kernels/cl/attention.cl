/* Attention of one head:  out = softmax (q k^T / sqrt (HEAD_DIM)) v,  without storing the scores.
 *
 *              heads * HEAD_DIM                         keys
 *            +----+----+----+                   +------------------+
 *            |    |    |    |                   |                  |     For each block of keys:
 *   queries  |####|    |    |  q      queries   |  scores of one   |       scores  = queries times keys
 *            |    |    |    |                   |  block of keys   |       highest = maximum of each query so far
 *            +----+----+----+                   +------------------+       sums    = sums rescaled to the new maximum
 *            +----+----+----+                                                        + exp (scores - highest) v
 *      keys  |    |    |    |  k, v
 *            +----+----+----+          head h of row i of picture b is at  offset + (b * rows + i) * stride + h * HEAD_DIM
 *
 *   query        (batch, queries, heads * HEAD_DIM), with offset and stride
 *   key, value   (batch, keys, heads * HEAD_DIM), with offset and stride
 *   out          (batch, queries, heads * HEAD_DIM)
 *   log_sum_exp  (batch, heads, queries): binary logarithm of the softmax's denominator, from which the backward pass computes the
 *                probabilities again (attention_backward.cl)
 *
 * This is the online softmax (Milakov and Gimelshein 2018), as in FlashAttention. The lanes of a vector are queries: a work-item has RVM_QUERIES
 * vectors of them and goes through the keys in blocks. Scores are then products of a vector of queries with one element of a key, exp() works on
 * whole vectors, and nothing is summed across lanes. The queries, scores and sums of a work-item stay in the first-level cache.
 *
 * With RVM_GROUP > 1 (GPUs, RVM_VECTOR 1) a work-item has one query, and the group shares each block of keys and values in local memory.
 *
 * key_block is the number of keys of a block: at most RVM_KEY_BLOCK and a multiple of RVM_KEY_TILE; with RVM_GROUP > 1, equal to RVM_KEY_BLOCK.
 *
 * Global size (work-items for the queries, heads, batch), local size (RVM_GROUP, 1, 1). */

#ifndef RVM_HEAD_DIM
#define RVM_HEAD_DIM 64
#endif
#ifndef RVM_QUERIES
#define RVM_QUERIES 2 /* vectors of queries of a work-item */
#endif
#ifndef RVM_KEY_TILE
#define RVM_KEY_TILE 4 /* keys that are scored at once, with RVM_KEY_TILE * RVM_QUERIES sums in registers */
#endif
#ifndef RVM_DIM_TILE
#define RVM_DIM_TILE 1 /* elements of the output that are summed at once; divides RVM_HEAD_DIM */
#endif
#ifndef RVM_KEY_BLOCK
#define RVM_KEY_BLOCK 32 /* the most keys of a block; a multiple of RVM_KEY_TILE */
#endif

#define LANES (RVM_QUERIES * RVM_VECTOR)

/* If the last vector has at most so many queries, they are computed one by one, which costs less than a whole vector. */
#if RVM_VECTOR > 1 && RVM_HEAD_DIM % RVM_VECTOR == 0
#define SINGLES (RVM_VECTOR / 4)
#else
#define SINGLES 0
#endif

#if RVM_GROUP > 1
#define KEY(j, d) key_tile[(j) * RVM_HEAD_DIM + (d)]
#define VALUE(j, d) value_tile[(j) * RVM_HEAD_DIM + (d)]
#else
#define KEY(j, d) k[(size_t) min (first + (j), keys - 1) * key_stride + (d)]
#define VALUE(j, d) v[(size_t) (first + (j)) * value_stride + (d)]
#endif

/* One head of one picture: its row 0, and the strides of its rows. */
typedef struct {
  __global const float *q, *k, *v;
  __global float *out, *log_sum_exp;
  uint q_stride, k_stride, v_stride, out_stride;
} Head;

#if RVM_GROUP > 1
/* Copies the keys and values of a block to local memory, by the whole group. */
void
share_block (const Head *head, uint first, uint keys, __local float *key_tile, __local float *value_tile)
{
  barrier (CLK_LOCAL_MEM_FENCE);
  for (uint i = get_local_id (0); i < RVM_KEY_BLOCK * RVM_HEAD_DIM; i += RVM_GROUP) {
    const uint j = i / RVM_HEAD_DIM, d = i % RVM_HEAD_DIM;
    const size_t row = min (first + j, keys - 1);
    key_tile[i] = head->k[row * head->k_stride + d];
    value_tile[i] = head->v[row * head->v_stride + d];
  }
  barrier (CLK_LOCAL_MEM_FENCE);
}
#endif

/* The steps of attend() for the @block keys from @first on. In all three, @vectors is a constant of at most RVM_QUERIES.
 *
 * scores = queries times keys; raises top to their maximum. */
__attribute__ ((always_inline)) void
score_block (const vec *q_lanes, __global const float *k, uint key_stride, __local const float *key_tile, uint first, uint block,
    uint keys, uint vectors, vec *scores, vec *top)
{
  for (uint j = 0; j < block; j += RVM_KEY_TILE) {
    vec dot[RVM_KEY_TILE][RVM_QUERIES];
#pragma unroll
    for (uint t = 0; t < RVM_KEY_TILE; t++)
#pragma unroll
      for (uint x = 0; x < vectors; x++)
        dot[t][x] = (vec) 0.0f;
    for (uint d = 0; d < RVM_HEAD_DIM; d++)
#pragma unroll
      for (uint t = 0; t < RVM_KEY_TILE; t++)
#pragma unroll
        for (uint x = 0; x < vectors; x++)
          dot[t][x] = fma ((vec) KEY (j + t, d), q_lanes[d * vectors + x], dot[t][x]);
#pragma unroll
    for (uint t = 0; t < RVM_KEY_TILE; t++)
#pragma unroll
      for (uint x = 0; x < vectors; x++) {
        /* Keys past the end are copies of the last one: they do not change the maximum, and are not summed later. */
        scores[(j + t) * vectors + x] = dot[t][x];
        top[x] = max (top[x], dot[t][x]);
      }
  }
}

/* scores = exp2 (scores - top); adds them to total. */
__attribute__ ((always_inline)) void
exponentiate_block (uint block, uint vectors, vec *scores, const vec *top, vec *total)
{
  for (uint j = 0; j < block; j++)
#pragma unroll
    for (uint x = 0; x < vectors; x++) {
      const vec p = rvm_exp2_negative (scores[j * vectors + x] - top[x]);
      scores[j * vectors + x] = p;
      total[x] += p;
    }
}

/* sums = sums * rescale + scores times values. */
__attribute__ ((always_inline)) void
add_values (const vec *scores, __global const float *v, uint value_stride, __local const float *value_tile, uint first, uint block,
    uint vectors, const vec *rescale, vec *sums)
{
  for (uint d = 0; d < RVM_HEAD_DIM; d += RVM_DIM_TILE) {
    vec acc[RVM_DIM_TILE][RVM_QUERIES];
#pragma unroll
    for (uint t = 0; t < RVM_DIM_TILE; t++)
#pragma unroll
      for (uint x = 0; x < vectors; x++)
        acc[t][x] = sums[(d + t) * vectors + x] * rescale[x];
    for (uint j = 0; j < block; j++)
#pragma unroll
      for (uint t = 0; t < RVM_DIM_TILE; t++)
#pragma unroll
        for (uint x = 0; x < vectors; x++)
          acc[t][x] = fma ((vec) VALUE (j, d + t), scores[j * vectors + x], acc[t][x]);
#pragma unroll
    for (uint t = 0; t < RVM_DIM_TILE; t++)
#pragma unroll
      for (uint x = 0; x < vectors; x++)
        sums[(d + t) * vectors + x] = acc[t][x];
  }
}

/* The @vectors vectors of queries from @start on. Queries past @queries are not written. */
__attribute__ ((always_inline)) void
attend (Head head, uint start, uint queries, uint keys, uint key_block, uint vectors, __local float *key_tile, __local float *value_tile)
{
  vec q_lanes[RVM_HEAD_DIM * RVM_QUERIES];
  vec sums[RVM_HEAD_DIM * RVM_QUERIES];
  vec scores[RVM_KEY_BLOCK * RVM_QUERIES];
  vec highest[RVM_QUERIES], total[RVM_QUERIES];

  /* Scaled by log2 (e), so that exp2 (score) is e^(q k / sqrt (HEAD_DIM)). */
  rows_to_lanes (q_lanes, head.q, head.q_stride, start, queries, RVM_HEAD_DIM, vectors, M_LOG2E_F * rsqrt ((float) RVM_HEAD_DIM));
  for (uint i = 0; i < RVM_HEAD_DIM * vectors; i++)
    sums[i] = (vec) 0.0f;
  for (uint x = 0; x < vectors; x++) {
    highest[x] = (vec) -FLT_MAX;
    total[x] = (vec) 0.0f;
  }

  for (uint first = 0; first < keys; first += key_block) {
    const uint block = min (keys - first, key_block);
    vec top[RVM_QUERIES], rescale[RVM_QUERIES];

#if RVM_GROUP > 1
    share_block (&head, first, keys, key_tile, value_tile);
#endif
    for (uint x = 0; x < vectors; x++)
      top[x] = highest[x];
    score_block (q_lanes, head.k, head.k_stride, key_tile, first, block, keys, vectors, scores, top);
    for (uint x = 0; x < vectors; x++) {
      rescale[x] = rvm_exp2_negative (highest[x] - top[x]);
      highest[x] = top[x];
      total[x] *= rescale[x];
    }
    exponentiate_block (block, vectors, scores, top, total);
    add_values (scores, head.v, head.v_stride, value_tile, first, block, vectors, rescale, sums);
  }

#pragma unroll
  for (uint x = 0; x < vectors; x++) {
    const uint first = start + x * RVM_VECTOR;
    if (first < queries)
      store_upto (highest[x] + log2 (total[x]), head.log_sum_exp + first, queries - first);
    total[x] = 1.0f / total[x];
  }
  for (uint d = 0; d < RVM_HEAD_DIM; d++)
#pragma unroll
    for (uint x = 0; x < vectors; x++)
      sums[d * vectors + x] *= total[x];
  lanes_to_rows (sums, head.out, head.out_stride, start, queries, RVM_HEAD_DIM, vectors);
}

#if SINGLES
/* The query @row alone. The lanes are elements of the head. */
__attribute__ ((noinline)) void
attend_one (Head head, uint row, uint keys, uint key_block)
{
  __global const float *q = head.q + (size_t) row * head.q_stride;
  vec q_parts[RVM_HEAD_DIM / RVM_VECTOR], sums[RVM_HEAD_DIM / RVM_VECTOR], scores[(RVM_KEY_BLOCK + RVM_VECTOR - 1) / RVM_VECTOR];
  float *score = (float *) scores;
  float highest = -FLT_MAX, total = 0.0f;

#pragma unroll
  for (uint x = 0; x < RVM_HEAD_DIM / RVM_VECTOR; x++) {
    q_parts[x] = VLOAD (q + x * RVM_VECTOR) * (M_LOG2E_F * rsqrt ((float) RVM_HEAD_DIM));
    sums[x] = (vec) 0.0f;
  }
  for (uint first = 0; first < keys; first += key_block) {
    const uint block = min (keys - first, key_block);
    float top = highest;

    for (uint j = 0; j < block; j++) {
      vec dot = (vec) 0.0f;
#pragma unroll
      for (uint x = 0; x < RVM_HEAD_DIM / RVM_VECTOR; x++)
        dot = fma (q_parts[x], VLOAD (head.k + (size_t) (first + j) * head.k_stride + x * RVM_VECTOR), dot);
      score[j] = VSUM (dot);
      top = max (top, score[j]);
    }
    for (uint x = 0; x < (block + RVM_VECTOR - 1) / RVM_VECTOR; x++)
      scores[x] = rvm_exp2_negative (scores[x] - top); /* also of what lies past the end, which is not read */

    const float rescale = highest > -FLT_MAX ? exp2 (highest - top) : 0.0f;
    total *= rescale;
    highest = top;
#pragma unroll
    for (uint x = 0; x < RVM_HEAD_DIM / RVM_VECTOR; x++)
      sums[x] *= rescale;
    for (uint j = 0; j < block; j++) {
      total += score[j];
#pragma unroll
      for (uint x = 0; x < RVM_HEAD_DIM / RVM_VECTOR; x++)
        sums[x] = fma ((vec) score[j], VLOAD (head.v + (size_t) (first + j) * head.v_stride + x * RVM_VECTOR), sums[x]);
    }
  }
  head.log_sum_exp[row] = highest + log2 (total);
#pragma unroll
  for (uint x = 0; x < RVM_HEAD_DIM / RVM_VECTOR; x++)
    VSTORE (sums[x] * (1.0f / total), head.out + (size_t) row * head.out_stride + x * RVM_VECTOR);
}
#endif

__kernel __attribute__ ((reqd_work_group_size (RVM_GROUP, 1, 1))) void
attention (__global const float *restrict query, uint query_offset, uint query_stride, __global const float *restrict key,
    uint key_offset, uint key_stride, __global const float *restrict value, uint value_offset, uint value_stride,
    __global float *restrict out, __global float *restrict log_sum_exp, uint queries, uint keys, uint key_block)
{
  const uint start = get_global_id (0) * LANES, column = get_global_id (1) * RVM_HEAD_DIM, out_stride = get_global_size (1) * RVM_HEAD_DIM;
  const size_t picture = get_global_id (2);
  const Head head = {
    query + query_offset + picture * queries * query_stride + column,
    key + key_offset + picture * keys * key_stride + column,
    value + value_offset + picture * keys * value_stride + column,
    out + picture * queries * out_stride + column,
    log_sum_exp + (picture * get_global_size (1) + get_global_id (1)) * queries,
    query_stride, key_stride, value_stride, out_stride,
  };
#if RVM_GROUP > 1
  __local float key_tile[RVM_KEY_BLOCK * RVM_HEAD_DIM], value_tile[RVM_KEY_BLOCK * RVM_HEAD_DIM];
#else
  __local float *key_tile = 0, *value_tile = 0;
#endif

#if SINGLES
  /* 257 queries are 16 vectors and one more. */
  if (queries - start <= SINGLES) {
    for (uint row = start; row < queries; row++)
      attend_one (head, row, keys, key_block);
    return;
  }
#endif
#if RVM_QUERIES > 1
  if (queries - start <= RVM_VECTOR) {
    attend (head, start, queries, keys, key_block, 1, key_tile, value_tile);
    return;
  }
#endif
  attend (head, start, queries, keys, key_block, RVM_QUERIES, key_tile, value_tile);
}
