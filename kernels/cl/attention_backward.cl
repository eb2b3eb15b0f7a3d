/* Backward pass of attention.cl, in two kernels. A d before a name means the gradient with respect to it.
 *
 *   p     = exp2 (log2 (e) q k / sqrt (HEAD_DIM) - log_sum_exp)       the probability of a query and a key
 *   delta = sum over the head of dout out                             of a query
 *   s     = p (dout v - delta)
 *
 *   dq = sum over keys of s k / sqrt (HEAD_DIM)
 *   dk = sum over queries of s q / sqrt (HEAD_DIM)
 *   dv = sum over queries of p dout
 *
 *                   keys                                          keys
 *            +----------------+                            +----------------+
 *   queries  |######>#########|  attention_backward_       |       #        |  attention_backward_keys:
 *            |                |  queries: a row of         |       v        |  a column of probabilities,
 *            |                |  probabilities, dq         |       #        |  dk and dv
 *            +----------------+  and delta                 +----------------+
 *
 * Both compute the probabilities again from log_sum_exp, so nothing of shape (queries, keys) is stored, and every sum has a fixed order: as in
 * FlashAttention-2 (Dao 2023), but without atomic additions.
 *
 * The layouts are those of attention.cl. dq, dk and dv have the offsets and strides of q, k and v; dout that of out; delta is (batch, heads,
 * queries). attention_backward_queries, whose lanes are queries, computes delta for attention_backward_keys, whose lanes are keys. Global and local
 * sizes as in attention.cl. */

#ifndef RVM_HEAD_DIM
#define RVM_HEAD_DIM 64
#endif
#ifndef RVM_LANES
#define RVM_LANES 2 /* vectors of rows that a work-item has in lanes: of queries in one kernel, of keys in the other */
#endif
#ifndef RVM_TILE
#define RVM_TILE 4 /* rows of the other side that are scored at once */
#endif
#ifndef RVM_DIM_TILE
#define RVM_DIM_TILE 1 /* elements of the head that are summed at once; divides RVM_HEAD_DIM */
#endif
#ifndef RVM_OTHER_BLOCK
#define RVM_OTHER_BLOCK 32 /* rows of the other side that are scored before they are summed; a multiple of RVM_TILE */
#endif

#define SCORE_SCALE (M_LOG2E_F * rsqrt ((float) RVM_HEAD_DIM))
#define GRADIENT_SCALE rsqrt ((float) RVM_HEAD_DIM)

/* For RVM_TILE rows t: a[t] = row first + t of @x times a_lanes, b[t] = row first + t of @y times b_lanes. Rows past the end are read as copies of
 * the last row. */
void
score_tile (__global const float *restrict x, uint x_stride, const vec *a_lanes, __global const float *restrict y, uint y_stride,
    const vec *b_lanes, uint first, uint rows, vec a[RVM_TILE][RVM_LANES], vec b[RVM_TILE][RVM_LANES])
{
  __global const float *restrict x_row[RVM_TILE];
  __global const float *restrict y_row[RVM_TILE];

#pragma unroll
  for (uint t = 0; t < RVM_TILE; t++) {
    x_row[t] = x + (size_t) min (first + t, rows - 1) * x_stride;
    y_row[t] = y + (size_t) min (first + t, rows - 1) * y_stride;
#pragma unroll
    for (uint l = 0; l < RVM_LANES; l++)
      a[t][l] = b[t][l] = (vec) 0.0f;
  }
  for (uint d = 0; d < RVM_HEAD_DIM; d++)
#pragma unroll
    for (uint t = 0; t < RVM_TILE; t++)
#pragma unroll
      for (uint l = 0; l < RVM_LANES; l++) {
        a[t][l] = fma ((vec) x_row[t][d], a_lanes[d * RVM_LANES + l], a[t][l]);
        b[t][l] = fma ((vec) y_row[t][d], b_lanes[d * RVM_LANES + l], b[t][l]);
      }
}

/* sums[d] += sum over i < @block of weights[i] times element d of row first + i of @x. */
void
add_weighted (vec *sums, const vec *weights, __global const float *restrict x, uint stride, uint first, uint block)
{
  for (uint d = 0; d < RVM_HEAD_DIM; d += RVM_DIM_TILE) {
    vec acc[RVM_DIM_TILE][RVM_LANES];

#pragma unroll
    for (uint t = 0; t < RVM_DIM_TILE; t++)
#pragma unroll
      for (uint l = 0; l < RVM_LANES; l++)
        acc[t][l] = sums[(d + t) * RVM_LANES + l];
    for (uint i = 0; i < block; i++)
#pragma unroll
      for (uint t = 0; t < RVM_DIM_TILE; t++)
#pragma unroll
        for (uint l = 0; l < RVM_LANES; l++)
          acc[t][l] = fma ((vec) x[(size_t) (first + i) * stride + d + t], weights[i * RVM_LANES + l], acc[t][l]);
#pragma unroll
    for (uint t = 0; t < RVM_DIM_TILE; t++)
#pragma unroll
      for (uint l = 0; l < RVM_LANES; l++)
        sums[(d + t) * RVM_LANES + l] = acc[t][l];
  }
}

/* One value of each row into the lanes of @values. */
void
load_row_values (vec *values, __global const float *restrict from, uint start, uint rows)
{
  float lanes[RVM_LANES * RVM_VECTOR];

  for (uint l = 0; l < RVM_LANES * RVM_VECTOR; l++)
    lanes[l] = from[min (start + l, rows - 1)];
  for (uint x = 0; x < RVM_LANES; x++)
    values[x] = VLOAD (lanes + x * RVM_VECTOR);
}

__kernel __attribute__ ((reqd_work_group_size (RVM_GROUP, 1, 1))) void
attention_backward_queries (__global const float *restrict query, uint query_offset, uint query_stride, __global const float *restrict key,
    uint key_offset, uint key_stride, __global const float *restrict value, uint value_offset, uint value_stride,
    __global const float *restrict log_sum_exp, __global const float *restrict out, __global const float *restrict dout,
    __global float *restrict dquery, __global float *restrict delta, uint queries, uint keys)
{
  const uint start = get_global_id (0) * RVM_LANES * RVM_VECTOR;
  const uint head = get_global_id (1) * RVM_HEAD_DIM;
  const size_t picture = get_global_id (2);
  const uint out_stride = get_global_size (1) * RVM_HEAD_DIM;
  const size_t row_values = (picture * get_global_size (1) + get_global_id (1)) * queries;
  const size_t q_at = query_offset + picture * queries * query_stride + head;
  const size_t out_at = picture * queries * out_stride + head;
  __global const float *restrict k = key + key_offset + picture * keys * key_stride + head;
  __global const float *restrict v = value + value_offset + picture * keys * value_stride + head;
  vec q_lanes[RVM_HEAD_DIM * RVM_LANES], d_lanes[RVM_HEAD_DIM * RVM_LANES], sums[RVM_HEAD_DIM * RVM_LANES];
  vec slopes[RVM_OTHER_BLOCK * RVM_LANES];
  vec lse[RVM_LANES], mean[RVM_LANES];

  if (start >= queries)
    return;
  rows_to_lanes (q_lanes, query + q_at, query_stride, start, queries, RVM_HEAD_DIM, RVM_LANES, SCORE_SCALE);
  rows_to_lanes (d_lanes, dout + out_at, out_stride, start, queries, RVM_HEAD_DIM, RVM_LANES, 1.0f);
  rows_to_lanes (sums, out + out_at, out_stride, start, queries, RVM_HEAD_DIM, RVM_LANES, 1.0f);
  load_row_values (lse, log_sum_exp + row_values, start, queries);
  for (uint l = 0; l < RVM_LANES; l++) {
    const uint first = start + l * RVM_VECTOR;
    mean[l] = (vec) 0.0f;
    for (uint d = 0; d < RVM_HEAD_DIM; d++)
      mean[l] = fma (d_lanes[d * RVM_LANES + l], sums[d * RVM_LANES + l], mean[l]);
    if (first < queries)
      store_upto (mean[l], delta + row_values + first, queries - first);
  }
  for (uint i = 0; i < RVM_HEAD_DIM * RVM_LANES; i++)
    sums[i] = (vec) 0.0f;

  for (uint first = 0; first < keys; first += RVM_OTHER_BLOCK) {
    const uint block = min (keys - first, (uint) RVM_OTHER_BLOCK);

    for (uint j = 0; j < block; j += RVM_TILE) {
      vec score[RVM_TILE][RVM_LANES], slope[RVM_TILE][RVM_LANES];
      score_tile (k, key_stride, q_lanes, v, value_stride, d_lanes, first + j, keys, score, slope);
#pragma unroll
      for (uint t = 0; t < RVM_TILE; t++)
#pragma unroll
        for (uint l = 0; l < RVM_LANES; l++)
          slopes[(j + t) * RVM_LANES + l] = rvm_exp2_negative (score[t][l] - lse[l]) * (slope[t][l] - mean[l]);
    }
    add_weighted (sums, slopes, k, key_stride, first, block);
  }
  for (uint i = 0; i < RVM_HEAD_DIM * RVM_LANES; i++)
    sums[i] *= GRADIENT_SCALE;
  lanes_to_rows (sums, dquery + q_at, query_stride, start, queries, RVM_HEAD_DIM, RVM_LANES);
}

__kernel __attribute__ ((reqd_work_group_size (RVM_GROUP, 1, 1))) void
attention_backward_keys (__global const float *restrict query, uint query_offset, uint query_stride, __global const float *restrict key,
    uint key_offset, uint key_stride, __global const float *restrict value, uint value_offset, uint value_stride,
    __global const float *restrict log_sum_exp, __global const float *restrict delta, __global const float *restrict dout,
    __global float *dkey, __global float *dvalue, uint queries, uint keys)
{
  const uint start = get_global_id (0) * RVM_LANES * RVM_VECTOR;
  const uint head = get_global_id (1) * RVM_HEAD_DIM;
  const size_t picture = get_global_id (2);
  const uint out_stride = get_global_size (1) * RVM_HEAD_DIM;
  const size_t row_values = (picture * get_global_size (1) + get_global_id (1)) * queries;
  const size_t k_at = key_offset + picture * keys * key_stride + head, v_at = value_offset + picture * keys * value_stride + head;
  __global const float *restrict q = query + query_offset + picture * queries * query_stride + head;
  __global const float *restrict d = dout + picture * queries * out_stride + head;
  __global const float *restrict lse = log_sum_exp + row_values;
  __global const float *restrict mean = delta + row_values;
  vec k_lanes[RVM_HEAD_DIM * RVM_LANES], v_lanes[RVM_HEAD_DIM * RVM_LANES];
  vec k_sums[RVM_HEAD_DIM * RVM_LANES], v_sums[RVM_HEAD_DIM * RVM_LANES];
  vec probabilities[RVM_OTHER_BLOCK * RVM_LANES], slopes[RVM_OTHER_BLOCK * RVM_LANES];

  if (start >= keys)
    return;
  rows_to_lanes (k_lanes, key + k_at, key_stride, start, keys, RVM_HEAD_DIM, RVM_LANES, SCORE_SCALE);
  rows_to_lanes (v_lanes, value + v_at, value_stride, start, keys, RVM_HEAD_DIM, RVM_LANES, 1.0f);
  for (uint i = 0; i < RVM_HEAD_DIM * RVM_LANES; i++)
    k_sums[i] = v_sums[i] = (vec) 0.0f;

  for (uint first = 0; first < queries; first += RVM_OTHER_BLOCK) {
    const uint block = min (queries - first, (uint) RVM_OTHER_BLOCK);

    for (uint i = 0; i < block; i += RVM_TILE) {
      vec score[RVM_TILE][RVM_LANES], slope[RVM_TILE][RVM_LANES];
      score_tile (q, query_stride, k_lanes, d, out_stride, v_lanes, first + i, queries, score, slope);
#pragma unroll
      for (uint t = 0; t < RVM_TILE; t++) {
        const uint row = min (first + i + t, queries - 1);
#pragma unroll
        for (uint l = 0; l < RVM_LANES; l++) {
          const vec p = rvm_exp2_negative (score[t][l] - lse[row]);
          probabilities[(i + t) * RVM_LANES + l] = p;
          slopes[(i + t) * RVM_LANES + l] = p * (slope[t][l] - mean[row]);
        }
      }
    }
    add_weighted (v_sums, probabilities, d, out_stride, first, block);
    add_weighted (k_sums, slopes, q, query_stride, first, block);
  }
  for (uint i = 0; i < RVM_HEAD_DIM * RVM_LANES; i++)
    k_sums[i] *= GRADIENT_SCALE;
  lanes_to_rows (k_sums, dkey + k_at, key_stride, start, keys, RVM_HEAD_DIM, RVM_LANES);
  lanes_to_rows (v_sums, dvalue + v_at, value_stride, start, keys, RVM_HEAD_DIM, RVM_LANES);
}
