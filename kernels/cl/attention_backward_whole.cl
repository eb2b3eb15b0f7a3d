/* Backward pass of attention.cl with one work-item for a whole head of a picture. Formulas and layouts are those of attention_backward.cl.
 *
 *                                keys
 *                      +---------+---------+----
 *                      | block   |         |         A work-item goes through all blocks: of RVM_KEY_VECTORS vectors of
 *   RVM_QUERY_BLOCK    |#########|         |         keys times RVM_QUERY_BLOCK queries. The scores of a block, with keys
 *   queries            +---------+---------+----     in the lanes, serve for dq, dk and dv, which are sums with elements
 *                      |         |         |         of the head in the lanes.
 *
 * So each score is computed once. attention_backward.cl, whose many work-items share no sums, computes it twice. For devices with wide vectors and
 * few compute units. Every sum has a fixed order. Global size (heads, batch), local size (1, 1). */

#ifndef RVM_HEAD_DIM
#define RVM_HEAD_DIM 64
#endif
#ifndef RVM_KEY_VECTORS
#define RVM_KEY_VECTORS 4 /* vectors of keys in a block */
#endif
#ifndef RVM_QUERY_BLOCK
#define RVM_QUERY_BLOCK 20 /* queries in a block; a multiple of TILE */
#endif
#ifndef RVM_LANE_TILE
#define RVM_LANE_TILE 2 /* vectors of keys that are scored at once */
#endif

#define TILE 5 /* rows that are summed at once: a picture of 64 patches has 65 tokens */
#define KEYS (RVM_KEY_VECTORS * RVM_VECTOR)
#define ROW_VECTORS ((RVM_HEAD_DIM + RVM_VECTOR - 1) / RVM_VECTOR)
#define ROW_FLOATS (ROW_VECTORS * RVM_VECTOR)
#define SCORE_SCALE (M_LOG2E_F * rsqrt ((float) RVM_HEAD_DIM))
#define GRADIENT_SCALE rsqrt ((float) RVM_HEAD_DIM)

/* Copies @count rows from row @first on to a contiguous array, with zeros after the end of a row. Rows past the end are copies of the last row. */
void
copy_rows (vec *to, __global const float *from, uint stride, uint first, uint count, uint rows)
{
  for (uint i = 0; i < count; i++)
#pragma unroll
    for (uint x = 0; x < ROW_VECTORS; x++)
      to[i * ROW_VECTORS + x] = load_upto (from + (size_t) min (first + i, rows - 1) * stride + x * RVM_VECTOR, RVM_HEAD_DIM - x * RVM_VECTOR);
}

/* Stores @count rows times @scale, added to what is there if @add. */
void
store_rows (const vec *from, __global float *to, uint stride, uint first, uint count, float scale, bool add)
{
  for (uint i = 0; i < count; i++)
#pragma unroll
    for (uint x = 0; x < ROW_VECTORS; x++) {
      __global float *at = to + (size_t) (first + i) * stride + x * RVM_VECTOR;
      const uint left = RVM_HEAD_DIM - x * RVM_VECTOR;
      const vec y = from[i * ROW_VECTORS + x] * scale;
      store_upto (add ? load_upto (at, left) + y : y, at, left);
    }
}

/* products[i] = row i of @rows times @lanes, for @count rows. Up to TILE - 1 more rows are computed; the arrays have room for them. */
void
multiply_lanes (vec *products, const vec *rows, const vec *lanes, uint count)
{
  for (uint first = 0; first < count; first += TILE) {
    const float *x = (const float *) (rows + first * ROW_VECTORS);

#pragma unroll
    for (uint c = 0; c < RVM_KEY_VECTORS; c += RVM_LANE_TILE) {
      vec acc[TILE][RVM_LANE_TILE];
#pragma unroll
      for (uint i = 0; i < TILE; i++)
#pragma unroll
        for (uint l = 0; l < RVM_LANE_TILE; l++)
          acc[i][l] = (vec) 0.0f;
      for (uint d = 0; d < RVM_HEAD_DIM; d++)
#pragma unroll
        for (uint l = 0; l < RVM_LANE_TILE; l++)
          if (c + l < RVM_KEY_VECTORS) {
            const vec y = lanes[d * RVM_KEY_VECTORS + c + l];
#pragma unroll
            for (uint i = 0; i < TILE; i++)
              acc[i][l] = fma ((vec) x[i * ROW_FLOATS + d], y, acc[i][l]);
          }
#pragma unroll
      for (uint i = 0; i < TILE; i++)
#pragma unroll
        for (uint l = 0; l < RVM_LANE_TILE; l++)
          if (c + l < RVM_KEY_VECTORS)
            products[(first + i) * RVM_KEY_VECTORS + c + l] = acc[i][l];
    }
  }
}

/* sums[o] += sum over i < @ins of weights[o * out_stride + i * in_stride] times row i of @rows, for @outs rows. Up to TILE - 1 more rows of @sums
 * are undefined afterwards. */
void
add_products (vec *sums, const float *weights, uint out_stride, uint in_stride, const vec *rows, uint outs, uint ins)
{
  for (uint first = 0; first < outs; first += TILE) {
    vec acc[TILE][ROW_VECTORS];
    const float *w[TILE];

#pragma unroll
    for (uint i = 0; i < TILE; i++) {
      w[i] = weights + min (first + i, outs - 1) * out_stride;
#pragma unroll
      for (uint x = 0; x < ROW_VECTORS; x++)
        acc[i][x] = sums[(first + i) * ROW_VECTORS + x];
    }
    for (uint t = 0; t < ins; t++)
#pragma unroll
      for (uint i = 0; i < TILE; i++) {
        const vec y = (vec) w[i][t * in_stride];
#pragma unroll
        for (uint x = 0; x < ROW_VECTORS; x++)
          acc[i][x] = fma (y, rows[t * ROW_VECTORS + x], acc[i][x]);
      }
#pragma unroll
    for (uint i = 0; i < TILE; i++)
#pragma unroll
      for (uint x = 0; x < ROW_VECTORS; x++)
        sums[(first + i) * ROW_VECTORS + x] = acc[i][x];
  }
}

/* delta = sum over the head of dout out, of each query. */
void
sum_outputs (__global const float *restrict out, __global const float *restrict dout, uint stride, __global float *restrict delta, uint rows)
{
  for (uint row = 0; row < rows; row++, out += stride, dout += stride) {
    vec sums = (vec) 0.0f;
#pragma unroll
    for (uint x = 0; x < ROW_VECTORS; x++)
      sums = fma (load_upto (out + x * RVM_VECTOR, RVM_HEAD_DIM - x * RVM_VECTOR),
          load_upto (dout + x * RVM_VECTOR, RVM_HEAD_DIM - x * RVM_VECTOR), sums);
    delta[row] = VSUM (sums);
  }
}

__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
attention_backward_whole (__global const float *restrict query, uint query_offset, uint query_stride, __global const float *restrict key,
    uint key_offset, uint key_stride, __global const float *restrict value, uint value_offset, uint value_stride,
    __global const float *restrict log_sum_exp, __global const float *restrict out, __global const float *restrict dout,
    __global float *restrict delta, __global float *dquery, __global float *dkey, __global float *dvalue, uint queries, uint keys)
{
  const uint head = get_global_id (0) * RVM_HEAD_DIM, out_stride = get_global_size (0) * RVM_HEAD_DIM;
  const size_t picture = get_global_id (1);
  const size_t q_at = query_offset + picture * queries * query_stride + head, out_at = picture * queries * out_stride + head;
  const size_t k_at = key_offset + picture * keys * key_stride + head, v_at = value_offset + picture * keys * value_stride + head;
  const size_t row_values = (picture * get_global_size (0) + get_global_id (0)) * queries;
  vec k_lanes[RVM_HEAD_DIM * RVM_KEY_VECTORS], v_lanes[RVM_HEAD_DIM * RVM_KEY_VECTORS];
  vec k_rows[KEYS * ROW_VECTORS], k_sums[(KEYS + TILE) * ROW_VECTORS], v_sums[(KEYS + TILE) * ROW_VECTORS];
  vec q_rows[RVM_QUERY_BLOCK * ROW_VECTORS], d_rows[RVM_QUERY_BLOCK * ROW_VECTORS], q_sums[RVM_QUERY_BLOCK * ROW_VECTORS];
  vec probabilities[RVM_QUERY_BLOCK * RVM_KEY_VECTORS], slopes[RVM_QUERY_BLOCK * RVM_KEY_VECTORS];

  sum_outputs (out + out_at, dout + out_at, out_stride, delta + row_values, queries);
  for (uint key_first = 0; key_first < keys; key_first += KEYS) {
    const uint block_keys = min (keys - key_first, (uint) KEYS);

    rows_to_lanes (k_lanes, key + k_at, key_stride, key_first, keys, RVM_HEAD_DIM, RVM_KEY_VECTORS, SCORE_SCALE);
    rows_to_lanes (v_lanes, value + v_at, value_stride, key_first, keys, RVM_HEAD_DIM, RVM_KEY_VECTORS, 1.0f);
    copy_rows (k_rows, key + k_at, key_stride, key_first, block_keys, keys);
    for (uint i = 0; i < (KEYS + TILE) * ROW_VECTORS; i++)
      k_sums[i] = v_sums[i] = (vec) 0.0f;

    for (uint first = 0; first < queries; first += RVM_QUERY_BLOCK) {
      const uint block = min (queries - first, (uint) RVM_QUERY_BLOCK), whole = (block + TILE - 1) / TILE * TILE;

      copy_rows (q_rows, query + q_at, query_stride, first, whole, queries);
      copy_rows (d_rows, dout + out_at, out_stride, first, whole, queries);
      multiply_lanes (probabilities, q_rows, k_lanes, block);
      multiply_lanes (slopes, d_rows, v_lanes, block);
      for (uint i = 0; i < block; i++) {
        const vec lse = (vec) log_sum_exp[row_values + first + i], mean = (vec) delta[row_values + first + i];
#pragma unroll
        for (uint l = 0; l < RVM_KEY_VECTORS; l++) {
          const vec p = rvm_exp2_negative (probabilities[i * RVM_KEY_VECTORS + l] - lse);
          probabilities[i * RVM_KEY_VECTORS + l] = p;
          slopes[i * RVM_KEY_VECTORS + l] = p * (slopes[i * RVM_KEY_VECTORS + l] - mean);
        }
      }
      for (uint i = 0; i < RVM_QUERY_BLOCK * ROW_VECTORS; i++)
        q_sums[i] = (vec) 0.0f;
      add_products (q_sums, (const float *) slopes, KEYS, 1, k_rows, block, block_keys);
      store_rows (q_sums, dquery + q_at, query_stride, first, block, GRADIENT_SCALE, key_first > 0);
      add_products (v_sums, (const float *) probabilities, 1, KEYS, d_rows, block_keys, block);
      add_products (k_sums, (const float *) slopes, 1, KEYS, q_rows, block_keys, block);
    }
    store_rows (k_sums, dkey + k_at, key_stride, key_first, block_keys, GRADIENT_SCALE, false);
    store_rows (v_sums, dvalue + v_at, value_stride, key_first, block_keys, 1.0f, false);
  }
}
