/* The way back through out = A W + bias, with W in the panels of gemm.cl.
 *
 * The gradient with regard to A is gemm.cl itself on the transposed weights, which transpose_panels makes. gemm_gradient is the one
 * with regard to W and bias: A^T D over a stretch of m rows, in the layout of W, so that an optimiser treats both as flat arrays. */

#ifndef RVM_ROWS
#define RVM_ROWS 6 /* rows of a tile */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors in a row of a tile */
#endif

#define PANEL (RVM_VECTORS * RVM_VECTOR)

/* kernel_gradient (panels, k, PANEL) and bias_gradient (panels * PANEL) = or += A^T D and the sums of the columns of D.
 *
 * a: (m, k), d: (m, n), both with offset and stride. A work-item owns a tile of RVM_ROWS inputs and a panel; the tile after the last
 * is the bias. Global size (ceil (k / RVM_ROWS) + has_bias, panels). The sum over m is in order, so the result is reproducible. */
__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
gemm_gradient (__global const float *restrict a, uint a_offset, uint a_stride, __global const float *restrict d, uint d_offset,
    uint d_stride, __global float *restrict kernel_gradient, __global float *restrict bias_gradient, uint m, uint n, uint k,
    uint accumulate)
{
  const uint row = get_global_id (0) * RVM_ROWS;
  const uint column = get_global_id (1) * PANEL;
  const uint columns = min (n - column, (uint) PANEL);
  __global const float *restrict from = d + d_offset + column;
  __global float *restrict to = row < k ? kernel_gradient + ((size_t) get_global_id (1) * k + row) * PANEL : bias_gradient + column;
  vec acc[RVM_ROWS][RVM_VECTORS];
  uint at[RVM_ROWS];

#pragma unroll
  for (uint i = 0; i < RVM_ROWS; i++) {
    at[i] = min (row + i, k - 1);
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++)
      acc[i][j] = (vec) 0.0f;
  }

  if (row >= k) {
    for (uint p = 0; p < m; p++)
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++)
        if (j * RVM_VECTOR < columns)
          acc[0][j] += load_upto (from + (size_t) p * d_stride + j * RVM_VECTOR, columns - j * RVM_VECTOR);
  } else if (columns == PANEL) {
    __global const float *restrict x = a + a_offset;

    for (uint p = 0; p < m; p++, x += a_stride, from += d_stride) {
      vec b[RVM_VECTORS];
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++)
        b[j] = VLOAD (from + j * RVM_VECTOR);
#pragma unroll
      for (uint i = 0; i < RVM_ROWS; i++) {
        const vec y = (vec) x[at[i]];
#pragma unroll
        for (uint j = 0; j < RVM_VECTORS; j++)
          acc[i][j] = fma (y, b[j], acc[i][j]);
      }
    }
  } else {
    __global const float *restrict x = a + a_offset;

    for (uint p = 0; p < m; p++, x += a_stride, from += d_stride)
      for (uint j = 0; j * RVM_VECTOR < columns; j++) {
        const vec b = load_upto (from + j * RVM_VECTOR, columns - j * RVM_VECTOR);
        for (uint i = 0; i < RVM_ROWS; i++)
          acc[i][j] = fma ((vec) x[at[i]], b, acc[i][j]);
      }
  }

  const uint rows = row < k ? min (k - row, (uint) RVM_ROWS) : 1;
  for (uint i = 0; i < rows; i++)
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++) {
      __global float *restrict out = to + i * PANEL + j * RVM_VECTOR;
      VSTORE (accumulate ? VLOAD (out) + acc[i][j] : acc[i][j], out);
    }
}

/* Panels of W (k, n) to panels of its transpose (n, k). One work-item a row of a panel of the transpose: global size (n, panels of k). */
__kernel void
transpose_panels (__global const float *restrict w, __global float *restrict out, uint k, uint n)
{
  const uint row = get_global_id (0), first = get_global_id (1) * PANEL;
  __global const float *restrict from = w + (size_t) (row / PANEL) * k * PANEL + row % PANEL;
  __global float *restrict to = out + ((size_t) get_global_id (1) * n + row) * PANEL;

  for (uint i = 0; i < PANEL; i++)
    to[i] = first + i < k ? from[(size_t) (first + i) * PANEL] : 0.0f;
}
