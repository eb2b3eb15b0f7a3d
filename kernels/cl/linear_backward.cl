/* Backward pass of out = A W + bias, with W in the panels of linear.cl. D is the gradient with respect to out.
 *
 *   with respect to A      D W^T             linear.cl with the transposed weights, which transpose_panels makes
 *   with respect to W      A^T D             gemm_gradient
 *   with respect to bias   column sums of D  gemm_gradient
 *
 * With RVM_ROUND (common.cl) products take operands that are rounded to bfloat16: W by round_panels and transpose_panels, A and D where they are copied.
 * Column sums are those of D as it is.
 *
 * The gradients have the layout of the weights, so an optimiser treats weights and gradients as flat arrays. */

#ifndef RVM_ROWS
#define RVM_ROWS 6 /* rows of a tile */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors in a row of a tile */
#endif

#define PANEL (RVM_VECTORS * RVM_VECTOR)

#ifndef RVM_SPAN
#define RVM_SPAN 1 /* tiles that a work-item computes */
#endif
#ifndef RVM_DEPTH
#define RVM_DEPTH 64 /* rows of A and D that are copied at once, so many as fit in a first-level cache */
#endif

#define INPUTS (RVM_SPAN * RVM_ROWS)
#define INPUT_VECTORS ((INPUTS + RVM_VECTOR - 1) / RVM_VECTOR)

/* Vector @j of the first @columns floats of a row, filled up with zeros. */
__attribute__ ((always_inline)) vec
load_columns (__global const float *from, uint j, uint columns)
{
  return j * RVM_VECTOR < columns ? load_upto (from + j * RVM_VECTOR, columns - j * RVM_VECTOR) : (vec) 0.0f;
}

/* Copies @vectors vectors of each of @depth rows to a contiguous array, with zeros after the first @columns floats of a row. Rows whose length is a
 * power of two lie in few sets of a cache, and would evict each other if they were read in place. */
void
copy_rows (vec *restrict to, __global const float *restrict from, uint stride, uint depth, uint columns, const uint vectors)
{
  if (columns == vectors * RVM_VECTOR)
    for (uint p = 0; p < depth; p++, from += stride)
      for (uint j = 0; j < vectors; j++)
        to[p * vectors + j] = operands (VLOAD (from + j * RVM_VECTOR));
  else
    for (uint p = 0; p < depth; p++, from += stride)
      for (uint j = 0; j < vectors; j++)
        to[p * vectors + j] = operands (load_columns (from, j, columns));
}

/* kernel_gradient = A^T D and bias_gradient = column sums of D, added to what is there if accumulate.
 *
 *                               n
 *              m           +---------+----+          A work-item computes RVM_SPAN tiles of RVM_ROWS rows (inputs) of
 *         +---------+   m  |    d    |    |          one panel; that of the first rows also computes the panel's
 *      k  |##A^T####|      +---------+----+          bias_gradient, if has_bias.
 *         |         |      +---------+----+
 *         +---------+   k  |##tile###|    |  kernel_gradient (panels, k, PANEL)
 *                          |         |    |  bias_gradient   (panels * PANEL)
 *                          +---------+----+
 *
 * a: (m, k), d: (m, n), both with offset and stride. The m rows are added in order, so the result is reproducible. Global size
 * (ceil (k / INPUTS), panels). */
__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
gemm_gradient (__global const float *restrict a, uint a_offset, uint a_stride, __global const float *restrict d, uint d_offset,
    uint d_stride, __global float *restrict kernel_gradient, __global float *restrict bias_gradient, uint m, uint n, uint k,
    uint has_bias, uint accumulate)
{
  const uint first = get_global_id (0) * INPUTS, inputs = min (k - first, (uint) INPUTS);
  const uint column = get_global_id (1) * PANEL, columns = min (n - column, (uint) PANEL);
  __global float *restrict to = kernel_gradient + ((size_t) get_global_id (1) * k + first) * PANEL;
  __global float *restrict bias = bias_gradient + column;
  vec a_rows[RVM_DEPTH * INPUT_VECTORS], d_rows[RVM_DEPTH * RVM_VECTORS];

  for (uint start = 0; start < m; start += RVM_DEPTH) {
    const uint depth = min (m - start, (uint) RVM_DEPTH);
    const uint next = start + 2 * depth <= m ? start + depth : start;
    const bool add = accumulate || start > 0;

    copy_rows (a_rows, a + a_offset + first + (size_t) start * a_stride, a_stride, depth, min (k - first, (uint) (INPUT_VECTORS * RVM_VECTOR)),
        INPUT_VECTORS);
    copy_rows (d_rows, d + d_offset + column + (size_t) start * d_stride, d_stride, depth, columns, RVM_VECTORS);
    if (has_bias && first == 0)
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++) {
        vec sum = add ? VLOAD (bias + j * RVM_VECTOR) : (vec) 0.0f;
        for (uint p = 0; p < depth; p++)
          sum += RVM_ROUND ? load_columns (d + d_offset + column + (size_t) (start + p) * d_stride, j, columns) : d_rows[p * RVM_VECTORS + j];
        VSTORE (sum, bias + j * RVM_VECTOR);
      }
    for (uint tile = 0; tile * RVM_ROWS < inputs; tile++) {
      const uint row = tile * RVM_ROWS;
      const float *x = (const float *) a_rows + row;
      /* Each tile prefetches a column of cache lines of the next RVM_DEPTH rows; after the last tile, all have been asked for. */
      const bool of_d = tile < RVM_VECTORS;
      __global const float *ahead = of_d ? d + d_offset + column + tile * RVM_VECTOR + (size_t) next * d_stride
                                         : a + a_offset + first + (tile - RVM_VECTORS) * RVM_VECTOR + (size_t) next * a_stride;
      const uint ahead_stride = of_d ? d_stride : a_stride;
      vec acc[RVM_ROWS][RVM_VECTORS];

#pragma unroll
      for (uint i = 0; i < RVM_ROWS; i++)
#pragma unroll
        for (uint j = 0; j < RVM_VECTORS; j++)
          acc[i][j] = (vec) 0.0f;
      for (uint p = 0; p < depth; p++, ahead += ahead_stride) {
        PREFETCH (ahead);
#pragma unroll
        for (uint i = 0; i < RVM_ROWS; i++) {
          const vec y = (vec) x[p * INPUT_VECTORS * RVM_VECTOR + i];
#pragma unroll
          for (uint j = 0; j < RVM_VECTORS; j++)
            acc[i][j] = fma (y, d_rows[p * RVM_VECTORS + j], acc[i][j]);
        }
      }
#pragma unroll
      for (uint i = 0; i < RVM_ROWS; i++)
        if (row + i < inputs)
#pragma unroll
          for (uint j = 0; j < RVM_VECTORS; j++) {
            __global float *restrict out = to + (row + i) * PANEL + j * RVM_VECTOR;
            VSTORE (add ? VLOAD (out) + acc[i][j] : acc[i][j], out);
          }
    }
  }
}

#if RVM_ROUND
typedef ushort stored;
#define STORED(x) (BFLOAT_BITS (as_uint (x)) >> 16)
#else
typedef float stored;
#define STORED(x) (x)
#endif

/* The transpose of W (k, n), from panels to panels:
 *
 *   w     (panels of n, k, PANEL)
 *   out   (panels of k, n, PANEL): the panels of W^T (n, k); bfloat16 with RVM_ROUND
 *
 * One work-item for each row of a panel of out: global size (n, panels of k). */
__kernel void
transpose_panels (__global const float *restrict w, __global stored *restrict out, uint k, uint n)
{
  const uint row = get_global_id (0), first = get_global_id (1) * PANEL;
  __global const float *restrict from = w + (size_t) (row / PANEL) * k * PANEL + row % PANEL;
  __global stored *restrict to = out + ((size_t) get_global_id (1) * n + row) * PANEL;

  for (uint i = 0; i < PANEL; i++)
    to[i] = first + i < k ? STORED (from[(size_t) (first + i) * PANEL]) : (stored) 0;
}

/* W itself as bfloat16, in the same panels. Global size (elements). */
__kernel void
round_panels (__global const float *restrict w, __global ushort *restrict out)
{
  out[get_global_id (0)] = BFLOAT_BITS (as_uint (w[get_global_id (0)])) >> 16;
}
