/* out = epilogue (A W), one register tile of RVM_ROWS x (RVM_VECTORS * RVM_VECTOR) per work-item; rvm_epilogue() in common.cl says what it may do.
 *
 * a: (m, k) row-major with a stride. w: panels of RVM_VECTORS * RVM_VECTOR columns, (panels, k, panel width), the last one
 * filled up with zeros. out: (m, n) with a stride. residual: (residual_rows, n), added to row m mod residual_rows. inner: (m, n).
 *
 * A work-group is ONE work-item: CPU implementations spread groups over their threads, and neither barriers nor local memory
 * pay there. Groups that follow each other share a panel of w, which stays in cache while the rows go by. */

#ifndef RVM_ROWS
#define RVM_ROWS 6 /* rows of a tile */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors in a row of a tile */
#endif
#ifndef RVM_HALF
#define RVM_HALF 0 /* 1: w is stored as IEEE half */
#endif

#define PANEL (RVM_VECTORS * RVM_VECTOR)

#if RVM_HALF
typedef ushort weight;
#if RVM_VECTOR == 1
#define LOAD_WEIGHT(p) half_to_float (*(p))
#define TO_UINT(x) convert_uint (x)
typedef uint uvec;
#else
#define LOAD_WEIGHT(p) half_to_float (RVM_JOIN (vload, RVM_VECTOR) (0, p))
#define TO_UINT(x) RVM_JOIN (convert_uint, RVM_VECTOR) (x)
typedef RVM_JOIN (uint, RVM_VECTOR) uvec;
#endif
#if RVM_VECTOR == 1
typedef ushort hvec;
#else
typedef RVM_JOIN (ushort, RVM_VECTOR) hvec;
#endif

/* Halves are widened with integer operations and one multiplication, right for zeros, subnormal and normal numbers (weights
 * are checked to be finite): vload_half is a function call per element on CPUs without cl_khr_fp16. */
vec
half_to_float (hvec h)
{
  const uvec u = TO_UINT (h);
  return AS_VEC ((u & 0x7fffu) << 13 | (u & 0x8000u) << 16) * 0x1p112f;
}
#else
typedef float weight;
#define LOAD_WEIGHT(p) VLOAD (p)
#endif

__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
gemm (__global const float *restrict a, uint a_offset, uint a_stride, __global const weight *restrict w,
    __global const float *restrict bias, __global const float *residual, uint residual_rows, __global float *inner,
    __global float *out, uint out_offset, uint out_stride, uint m, uint n, uint k, uint flags)
{
  const uint row = get_global_id (0) * RVM_ROWS;
  const uint column = get_global_id (1) * PANEL;
  __global const weight *restrict panel = w + (size_t) column * k;
  __global const float *restrict a_row[RVM_ROWS];
  vec acc[RVM_ROWS][RVM_VECTORS];

  /* Rows past the end read the last row and are not stored: no branch in the loop. */
#pragma unroll
  for (uint i = 0; i < RVM_ROWS; i++) {
    a_row[i] = a + a_offset + (size_t) min (row + i, m - 1) * a_stride;
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++)
      acc[i][j] = (vec) 0.0f;
  }

  for (uint p = 0; p < k; p++) {
    vec b[RVM_VECTORS];
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++)
      b[j] = LOAD_WEIGHT (panel + (size_t) p * PANEL + j * RVM_VECTOR);
#pragma unroll
    for (uint i = 0; i < RVM_ROWS; i++) {
      const vec x = (vec) a_row[i][p];
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++)
        acc[i][j] = fma (x, b[j], acc[i][j]);
    }
  }

#pragma unroll
  for (uint j = 0; j < RVM_VECTORS; j++) {
    const uint c = column + j * RVM_VECTOR;
    const vec shift = flags & FLAG_BIAS ? VLOAD (bias + c) : (vec) 0.0f; /* bias is as wide as the panels */
#pragma unroll
    for (uint i = 0; i < RVM_ROWS; i++)
      if (row + i < m && c < n)
        rvm_epilogue (acc[i][j] + shift, residual + (size_t) ((row + i) % residual_rows) * n + c, inner + (size_t) (row + i) * n + c,
            out + out_offset + (size_t) (row + i) * out_stride + c, n - c, flags);
  }
}
