/* Attention of one head by matrix units, out = softmax (q k^T / sqrt (HEAD_DIM)) v, for a part of the queries of a picture. See attention.cl for the matrices, which
 * are bfloat16 here; log_sum_exp is float32.
 *
 * Not online: the scores of 32 queries with all keys are in the cache as a whole, in the scratch of the group:
 *
 *   key_tiles    (keys / 16, PADDED / 32, 16 pairs of dimensions, 16 keys, 2)
 *   value_tiles  (keys / 32, PADDED / 32, even and odd dimensions, 16 pairs of keys j and j + 16, 16 dimensions, 2)
 *   scores       float (32, keys), of which probabilities (32, keys) bfloat16 are made, in the order 0 16 1 17 ... of each 32 keys
 *
 * with `padded` keys, a multiple of 32. Global size (parts, heads, batch). */
#include "matrix_units.cl"

#define PADDED ((RVM_HEAD_DIM + 31) / 32 * 32)
#define HALVES (PADDED / 32)

void
pack_keys (__global const ushort *keys, uint stride, uint count, uint padded, __global ushort *tiles)
{
  for (uint j = 0; j < padded; j += 16)
    for (uint h = 0; h < HALVES; h++) {
      uint16 rows[16];

      for (uint i = 0; i < 16; i++)
        rows[i] = j + i < count ? load_pairs (keys + (size_t) (j + i) * stride + h * 32, RVM_HEAD_DIM - h * 32) : (uint16) 0;
      transpose_pairs (rows);
      for (uint i = 0; i < 16; i++)
        vstore16 (rows[i], i, (__global uint *) (tiles + (size_t) (j / 16 * HALVES + h) * TILE));
    }
}

void
pack_values (__global const ushort *values, uint stride, uint count, uint padded, __global ushort *tiles)
{
  for (uint j = 0; j < padded; j += 32)
    for (uint i = 0; i < 16; i++)
      for (uint h = 0; h < HALVES; h++) {
        const uint left = RVM_HEAD_DIM - h * 32;
        const uint16 x = j + i < count ? load_pairs (values + (size_t) (j + i) * stride + h * 32, left) : (uint16) 0;
        const uint16 y = j + i + 16 < count ? load_pairs (values + (size_t) (j + i + 16) * stride + h * 32, left) : (uint16) 0;
        __global ushort *to = tiles + (size_t) (j / 32 * HALVES + h) * 2 * TILE;

        vstore16 ((x & 0xffffu) | y << 16, i, (__global uint *) to);
        vstore16 (x >> 16 | (y & 0xffff0000u), i, (__global uint *) (to + TILE));
      }
}

/* The probabilities of a row of scores, not divided by their sum. Returns the largest score, scaled for exp2, and the sum. */
float2
exponentiate_row (__global float *scores, __global uint *probabilities, uint keys, uint padded)
{
  const float scale = M_LOG2E_F * rsqrt ((float) RVM_HEAD_DIM);
  float16 top, total = 0.0f;
  float highest;

  for (uint j = keys; j < padded; j++)
    scores[j] = -1e30f;
  top = vload16 (0, scores);
  for (uint j = 16; j < padded; j += 16)
    top = max (top, vload16 (0, scores + j));
  const float8 half_top = max (top.lo, top.hi);
  const float4 quarter_top = max (half_top.lo, half_top.hi);
  highest = max (max (quarter_top.x, quarter_top.y), max (quarter_top.z, quarter_top.w)) * scale;
  for (uint j = 0; j < padded; j += 32) {
    const float16 x = exp2_fast (max (fma (vload16 (0, scores + j), (float16) scale, (float16) -highest), (float16) -126.0f));
    const float16 y = exp2_fast (max (fma (vload16 (1, scores + j), (float16) scale, (float16) -highest), (float16) -126.0f));

    total += x + y;
    vstore16 (to_pairs (x, y), 0, probabilities + j / 2);
  }
  return (float2) (highest, VSUM (total));
}

__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
matrix_attention (__global const ushort *query, uint query_offset, uint query_stride, __global const ushort *key, uint key_offset, uint key_stride,
    __global const ushort *value, uint value_offset, uint value_stride, __global ushort *out, __global float *log_sum_exp, uint queries, uint keys,
    uint padded, __global uchar *scratch, uint group_lines) /* cache lines of scratch for each group */
{
  const uint parts = get_global_size (0), part = get_global_id (0), heads = get_global_size (1), head = get_global_id (1), picture = get_global_id (2);
  const uint begin = (ulong) queries * part / parts, rows = (ulong) queries * (part + 1) / parts - begin, column = head * RVM_HEAD_DIM;
  const uint out_stride = heads * RVM_HEAD_DIM;
  __global ushort *key_tiles = (__global ushort *) (scratch + ((size_t) (picture * heads + head) * parts + part) * group_lines * 64);
  __global ushort *value_tiles = key_tiles + (size_t) padded * PADDED, *packed = value_tiles + (size_t) padded * PADDED;
  __global float *scores = (__global float *) (packed + 32 * PADDED);
  __global uint *probabilities = (__global uint *) (scores + (size_t) 32 * padded);
  __global const ushort *q = query + query_offset + ((size_t) picture * queries + begin) * query_stride + column;

  pack_keys (key + key_offset + (size_t) picture * keys * key_stride + column, key_stride, keys, padded, key_tiles);
  pack_values (value + value_offset + (size_t) picture * keys * value_stride + column, value_stride, keys, padded, value_tiles);
  out += ((size_t) picture * queries + begin) * out_stride + column;
  log_sum_exp += ((size_t) picture * heads + head) * queries + begin;

  const uint tiles = (rows + 2 * MOST_ROWS - 1) / (2 * MOST_ROWS) * 2, height = (rows + tiles - 1) / tiles;
  const ulong score_bytes = (ulong) padded * sizeof (float), probability_bytes = (ulong) padded * 2;

  tiles_configure (height);
  for (uint t = 0; t < tiles; t += 2) {
    const uint row0 = min (t * height, rows - height), row1 = min (row0 + height, rows - height);
    ulong q0 = ADDRESS (q + (size_t) row0 * query_stride), q1 = ADDRESS (q + (size_t) row1 * query_stride), q_bytes = (ulong) query_stride * 2;
    float totals[32];

#if RVM_HEAD_DIM % 32 != 0
    for (uint l = 0; l < 2 * height; l++)
      pack_row ((__global const uchar *) (q + (size_t) (l < height ? row0 + l : row1 + l - height) * query_stride), 1, packed + l * PADDED, RVM_HEAD_DIM);
    q0 = ADDRESS (packed), q1 = ADDRESS (packed + height * PADDED), q_bytes = PADDED * 2;
#endif
    for (uint j = 0; j < padded; j += 32)
      tiles_multiply (q0, q1, q_bytes, ADDRESS (key_tiles + (size_t) j / 16 * HALVES * TILE), TILE * 2, HALVES * TILE * 2, HALVES, ADDRESS (scores + j),
          ADDRESS (scores + j) + height * score_bytes, score_bytes, 0, 0, height);
    for (uint l = 0; l < 2 * height; l++) {
      const float2 sum = exponentiate_row (scores + (size_t) l * padded, probabilities + (size_t) l * padded / 2, keys, padded);

      log_sum_exp[l < height ? row0 + l : row1 + l - height] = sum.x + log2 (sum.y);
      totals[l] = 1.0f / sum.y;
    }
    for (uint h = 0; h < HALVES; h++) {
      float sums[2 * 16 * WIDE] __attribute__ ((aligned (64)));

      tiles_multiply (ADDRESS (probabilities), ADDRESS (probabilities) + height * probability_bytes, probability_bytes,
          ADDRESS (value_tiles + h * 2 * TILE), HALVES * 2 * TILE * 2, TILE * 2, padded / 32, ADDRESS (sums),
          ADDRESS (sums) + height * WIDE * sizeof (float), WIDE * sizeof (float), 0, 0, height);
      for (uint l = 0; l < 2 * height; l++)
        store_pairs (vload16 (0, sums + l * WIDE) * totals[l], vload16 (1, sums + l * WIDE) * totals[l],
            out + (size_t) (l < height ? row0 + l : row1 + l - height) * out_stride + h * 32, RVM_HEAD_DIM - h * 32);
    }
  }
  tiles_release ();
}
