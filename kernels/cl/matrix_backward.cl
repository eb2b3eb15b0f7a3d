/* What training needs of linear layers on matrix units: weights and their gradients. Weights and gradients are float32 in panels, as linear.cl and
 * linear_backward.cl have them, with `panel` columns each; products take bfloat16.
 *
 *   pack_weights   W (k, n) or its transpose to the tiles that matrix_chain.cl reads
 *   pack_inputs    A (m, k) to the rows of A^T, bfloat16 (k rounded up to 32, steps * 32)
 *   pack_rows      D (m, n) to tiles, as if it were weights of m rows
 *   units_gradient A^T D from what the two made, added to what is there if accumulate:
 *
 *                               n
 *              m           +----+----+----+
 *         +---------+   m  |    D, packed |          A work-item computes 32 rows of up to `span` panels of 32 columns.
 *      k  |   A^T   |      +----+----+----+          All m rows are summed in one order, so the result is reproducible.
 *         |#########|      +----+----+----+
 *         +---------+   k  |    |    |    |  kernel_gradient
 *                          |####|####|    |
 *                          +----+----+----+
 *
 * steps = ceil (m / 32), of the sum. What lies past the end of a matrix is packed as zeros. */
#include "matrix_units.cl"

/* Two rows of 32 columns, as pairs: the even columns to the first tile, the odd ones to the second. */
void
store_row_pair (float16 low0, float16 high0, float16 low1, float16 high1, uint pair, __global uint *tiles)
{
  vstore16 (to_pairs ((float16) (low0.even, high0.even), (float16) (low1.even, high1.even)), pair, tiles);
  vstore16 (to_pairs ((float16) (low0.odd, high0.odd), (float16) (low1.odd, high1.odd)), pair, tiles + TILE / 2);
}

/* 16 columns from @column on, a multiple of 16, of row @row of W, or of its transpose. */
float16
load_weights (__global const float *w, uint k, uint n, uint panel, uint is_transposed, uint row, uint column)
{
  float lanes[16];

  if (is_transposed) {
    __global const float *from = w + ((size_t) (row / panel) * k + column) * panel + row % panel;

    for (uint l = 0; l < 16; l++)
      lanes[l] = row < n && column + l < k ? from[(size_t) l * panel] : 0.0f;
  } else if (panel % 16 == 0) { /* the panels' own padding is zero */
    return row < k && column < n ? vload16 (0, w + ((size_t) (column / panel) * k + row) * panel + column % panel) : (float16) 0.0f;
  } else {
    for (uint l = 0; l < 16; l++)
      lanes[l] = row < k && column + l < n ? w[((size_t) ((column + l) / panel) * k + row) * panel + (column + l) % panel] : 0.0f;
  }
  return vload16 (0, lanes);
}

/* Global size (steps of 32 of the rows, panels of 32 columns) of what is stored. */
__kernel void
pack_weights (__global const float *w, __global ushort *tiles, uint k, uint n, uint panel, uint is_transposed)
{
  const uint step = get_global_id (0), column = get_global_id (1) * WIDE;
  __global uint *to = (__global uint *) (tiles + ((size_t) get_global_id (1) * get_global_size (0) + step) * 2 * TILE);

  for (uint pair = 0; pair < 16; pair++) {
    const uint row = step * STEP + 2 * pair;

    store_row_pair (load_weights (w, k, n, panel, is_transposed, row, column), load_weights (w, k, n, panel, is_transposed, row, column + 16),
        load_weights (w, k, n, panel, is_transposed, row + 1, column), load_weights (w, k, n, panel, is_transposed, row + 1, column + 16), pair, to);
  }
}

/* 16 columns from @column on of row @row of a matrix (rows, columns). */
float16
load_part (__global const float *x, uint stride, uint rows, uint columns, uint row, uint column)
{
  return row < rows && column < columns ? load_upto (x + (size_t) row * stride + column, columns - column) : (float16) 0.0f;
}

/* Global size (steps, panels of 32 columns). */
__kernel void
pack_rows (__global const float *d, uint d_offset, uint d_stride, __global uchar *scratch, uint m, uint n)
{
  const uint step = get_global_id (0), column = get_global_id (1) * WIDE;
  __global uint *to = (__global uint *) scratch + ((size_t) get_global_id (1) * get_global_size (0) + step) * TILE;

  d += d_offset;
  for (uint pair = 0; pair < 16; pair++) {
    const uint row = step * STEP + 2 * pair;

    store_row_pair (load_part (d, d_stride, m, n, row, column), load_part (d, d_stride, m, n, row, column + 16),
        load_part (d, d_stride, m, n, row + 1, column), load_part (d, d_stride, m, n, row + 1, column + 16), pair, to);
  }
}

/* Global size (steps, ceil (k / 32) * 2). @at: where in scratch the rows go, in cache lines. */
__kernel void
pack_inputs (__global const float *a, uint a_offset, uint a_stride, __global uchar *scratch, uint at, uint m, uint k)
{
  const uint step = get_global_id (0), steps = get_global_size (0), column = get_global_id (1) * 16;
  __global uint *to = (__global uint *) (scratch + (size_t) at * 64) + ((size_t) column * steps + step) * 16;
  uint16 pairs[16];

  a += a_offset;
  for (uint i = 0; i < 16; i++) {
    const uint row = step * STEP + 2 * i;

    pairs[i] = to_pairs (load_part (a, a_stride, m, k, row, column), load_part (a, a_stride, m, k, row + 1, column));
  }
  transpose_pairs (pairs);
  for (uint i = 0; i < 16; i++)
    vstore16 (pairs[i], 0, to + (size_t) i * steps * 16);
}

/* 16 columns from @column on of row @row of the gradient. */
void
store_gradient (float16 y, __global float *kernel_gradient, uint k, uint n, uint panel, uint row, uint column, uint accumulate)
{
  float lanes[16];

  if (panel % 16 == 0) {
    __global float *to = kernel_gradient + ((size_t) (column / panel) * k + row) * panel + column % panel;

    vstore16 (accumulate ? vload16 (0, to) + y : y, 0, to);
    return;
  }
  vstore16 (y, 0, lanes);
  for (uint l = 0; l < min (n - column, 16u); l++) {
    __global float *to = kernel_gradient + ((size_t) ((column + l) / panel) * k + row) * panel + (column + l) % panel;

    *to = accumulate ? *to + lanes[l] : lanes[l];
  }
}

/* Global size (ceil (k / 32), ceil (panels / span)). */
__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
units_gradient (__global const uchar *scratch, uint at, __global float *kernel_gradient, uint steps, uint k, uint n, uint panel, uint span,
    uint accumulate)
{
  const uint first = get_global_id (0) * 32, begin = get_global_id (1) * span * WIDE, end = min (n, begin + span * WIDE);
  const ulong stride = (ulong) steps * 64, rows = ADDRESS (scratch) + (ulong) at * 64 + first * stride;
  float sums[2 * 16 * WIDE] __attribute__ ((aligned (64)));

  tiles_configure (16);
  for (uint column = begin; column < end; column += WIDE) {
    const ulong tiles = ADDRESS (scratch) + (ulong) (column / WIDE) * steps * 2 * TILE * 2;

    tiles_multiply (rows, rows + 16 * stride, stride, tiles, 2 * TILE * 2, TILE * 2, steps, ADDRESS (sums), ADDRESS (sums) + 16 * WIDE * sizeof (float),
        WIDE * sizeof (float), 0, 0, 16);
    for (uint l = 0; l < 32 && first + l < k; l++) {
      const float16 even = vload16 (0, sums + l * WIDE), odd = vload16 (1, sums + l * WIDE);
      float16 y;

      y.even = even.lo;
      y.odd = odd.lo;
      store_gradient (y, kernel_gradient, k, n, panel, first + l, column, accumulate);
      y.even = even.hi;
      y.odd = odd.hi;
      if (column + 16 < n)
        store_gradient (y, kernel_gradient, k, n, panel, first + l, column + 16, accumulate);
    }
  }
  tiles_release ();
}
