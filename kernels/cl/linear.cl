/* out = epilogue (A W), one register tile of RVM_ROWS x (RVM_VECTORS * RVM_VECTOR) per work-item; rvm_epilogue() in common.cl says what it may do.
 *
 * a: (m, k) row-major with a stride. w: panels of RVM_VECTORS * RVM_VECTOR columns, (panels, k, panel width), the last one
 * filled up with zeros. out: (m, n) with a stride. residual: (residual_rows, n), added to row m mod residual_rows. inner: (m, n).
 *
 * On CPUs (RVM_SIDE 1) a work-group is ONE work-item: CPU implementations spread groups over their threads, and neither barriers nor local
 * memory pay there. Groups that follow each other share a panel of w, which stays in cache while the rows go by. Elsewhere a group is a
 * square of RVM_SIDE x RVM_SIDE tiles, one for each work-item, because the lanes of a processor are work-items of one group. */

#ifndef RVM_ROWS
#define RVM_ROWS 6 /* rows of a tile */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors in a row of a tile */
#endif
#ifndef RVM_SIDE
#define RVM_SIDE 1 /* tiles along each side of a work-group */
#endif
#ifndef RVM_HALF
#define RVM_HALF 0 /* 1: w is stored as IEEE half */
#endif

#define PANEL (RVM_VECTORS * RVM_VECTOR)

/* A large tile's sums are put down for one copy of the epilogue: over 24 copies of it a compiler takes longer than over everything else,
 * and Mesa's does not unroll that much: sums that a loop picks would live in memory all the time, at a sixth of the speed. */
#if RVM_ROWS * RVM_VECTORS > 8
#define STORE_LOOP _Pragma ("unroll 1")
#else
#define STORE_LOOP _Pragma ("unroll")
#endif

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

/* Puts the sums of a tile of @rows away. One copy of it, as it is most of what there is to compile; everything else as in gemm. */
__attribute__ ((noinline)) void
finish_tile (const vec *sums, uint rows, __global const float *bias, __global const float *residual, uint residual_rows, __global float *inner,
    __global float *out, uint out_stride, uint row, uint column, uint m, uint n, uint flags)
{
  STORE_LOOP
  for (uint i = 0; i < rows && row + i < m; i++) {
    /* A division takes as long as all the rest. */
    const uint added = row + i < residual_rows ? row + i : (row + i) % residual_rows;
    __global const float *add = residual + (size_t) added * n + column;
    __global float *in = inner + (size_t) (row + i) * n + column, *to = out + (size_t) (row + i) * out_stride + column;

    if (column + PANEL <= n) {
      vec y[RVM_VECTORS];
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++)
        y[j] = sums[i * RVM_VECTORS + j];
      rvm_epilogue (y, RVM_VECTORS, bias + column, add, in, to, PANEL, flags);
    } else {
      STORE_LOOP
      for (uint j = 0; column + j * RVM_VECTOR < n; j++) {
        const uint c = j * RVM_VECTOR;
        vec y = sums[i * RVM_VECTORS + j];
        rvm_epilogue (&y, 1, bias + column + c, add + c, in + c, to + c, n - column - c, flags); /* bias is as wide as the panels */
      }
    }
  }
}

/* One tile. @rows: a constant of at most RVM_ROWS; @a, @out: their row 0; @panel: of w; @soon: memory that the next tiles will want, of which
 * @soon_lines lines of cache are fetched for each line of a; everything else as in gemm. */
__attribute__ ((always_inline)) void
gemm_tile (uint rows, __global const float *a, uint a_stride, __global const weight *panel, __global const float *bias,
    __global const float *residual, uint residual_rows, __global float *inner, __global float *out, uint out_stride, uint row, uint column, uint m,
    uint n, uint k, uint flags, __global const float *soon, uint soon_lines)
{
  __global const float *a_row[RVM_ROWS];
  vec acc[RVM_ROWS][RVM_VECTORS], sums[RVM_ROWS * RVM_VECTORS];

  /* Rows past the end read the last row and are not stored: no branch in the loop. */
#pragma unroll
  for (uint i = 0; i < rows; i++) {
    a_row[i] = a + (size_t) min (row + i, m - 1) * a_stride;
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++)
      acc[i][j] = (vec) 0.0f;
  }

  for (uint p = 0; p < k; p++) {
    vec b[RVM_VECTORS];
    if (p % CACHE_LINE == 0)
      for (uint i = 0; i < soon_lines; i++, soon += CACHE_LINE)
        PREFETCH (soon);
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++)
      b[j] = LOAD_WEIGHT (panel + (size_t) p * PANEL + j * RVM_VECTOR);
#pragma unroll
    for (uint i = 0; i < rows; i++) {
      const vec x = (vec) a_row[i][p];
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++)
        acc[i][j] = fma (x, b[j], acc[i][j]);
    }
  }

#pragma unroll
  for (uint i = 0; i < rows; i++)
#pragma unroll
    for (uint j = 0; j < RVM_VECTORS; j++)
      sums[i * RVM_VECTORS + j] = acc[i][j];
  finish_tile (sums, rows, bias, residual, residual_rows, inner, out, out_stride, row, column, m, n, flags);
}

#if !RVM_CHAIN
__kernel __attribute__ ((reqd_work_group_size (RVM_SIDE, RVM_SIDE, 1))) void
gemm (__global const float *restrict a, uint a_offset, uint a_stride, __global const weight *restrict w,
    __global const float *restrict bias, __global const float *residual, uint residual_rows, __global float *inner,
    __global float *out, uint out_offset, uint out_stride, uint m, uint n, uint k, uint flags)
{
  const uint row = get_global_id (0) * RVM_ROWS, column = get_global_id (1) * PANEL;

#if RVM_SIDE > 1
  if (row >= m || column >= n)
    return; /* the global size is a multiple of the group's */
#endif
  /* The rows of the next tile, if there is one. */
  gemm_tile (RVM_ROWS, a + a_offset, a_stride, w + (size_t) column * k, bias, residual, residual_rows, inner, out + out_offset, out_stride, row,
      column, m, n, k, flags, a + a_offset + (size_t) (row + RVM_ROWS) * a_stride, row + 2 * RVM_ROWS <= m ? RVM_ROWS : 0);
}

#else
/* Several steps, each a product as above or a layer norm, over the same m rows: a work-group takes @block of them through all
 * steps. What one step writes into a row only that row of later steps reads, so that no group waits for another, and a group's rows stay in
 * the caches of its core from step to step (chain.c, which also says what the numbers of a step are).
 *
 * A norm takes scale for w; out may be a. Global size (ceil (m / block)). */
#define STEP(s)                                                                                                              \
  uint16 step##s, __global const float *a##s, __global const weight *w##s, __global const float *bias##s,                    \
      __global const float *residual##s, __global float *inner##s, __global float *out##s
#define CASE(s)                                                                                                              \
  case s:                                                                                                                    \
    step = step##s, a = a##s, w = w##s, bias = bias##s, residual = residual##s, inner = inner##s, out = out##s;              \
    break

__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
chain (uint m, uint block, uint steps, STEP (0), STEP (1), STEP (2), STEP (3), STEP (4), STEP (5))
{
  const uint first = get_global_id (0) * block, end = min (first + block, m);
  const uint tiles = (end - first + RVM_ROWS - 1) / RVM_ROWS;
  /* As many of the tiles have a row less as make the block whole; if it is too small for that, the last tile is not full. */
  const uint missing = tiles * RVM_ROWS - (end - first), full = missing < tiles ? tiles - missing : tiles;

#pragma unroll 1
  for (uint s = 0; s < steps; s++) {
    uint16 step;
    __global const float *a, *bias, *residual;
    __global const weight *w;
    __global float *inner, *out;

    switch (s) {
      CASE (0);
      CASE (1);
      CASE (2);
      CASE (3);
      CASE (4);
      default:
      CASE (5);
    }
    const uint a_stride = step.s1, residual_rows = step.s2, out_stride = step.s4, n = step.s5, k = step.s6, flags = step.s7;
    a += step.s0;
    out += step.s3;
    if (step.s8)
      for (uint row = first; row < end; row++)
        layernorm_row (a + (size_t) row * a_stride, (__global const float *) w, bias, flags & FLAG_BIAS, out + (size_t) row * out_stride, n,
            as_float (step.s9), 0);
    else
      for (uint column = 0; column < n; column += PANEL) {
        /* The next panel, in as many pieces as the block has tiles. */
        __global const float *soon = (__global const float *) (w + (size_t) (column + PANEL) * k);
        const uint lines = column + PANEL < n ? (PANEL + tiles - 1) / tiles : 0;

        for (uint tile = 0, row = first; tile < tiles; row += tile < full ? RVM_ROWS : RVM_ROWS - 1, tile++, soon += lines * k)
          if (tile < full)
            gemm_tile (RVM_ROWS, a, a_stride, w + (size_t) column * k, bias, residual, residual_rows, inner, out, out_stride, row, column, end, n, k,
                flags, soon, lines);
          else
            gemm_tile (RVM_ROWS - 1, a, a_stride, w + (size_t) column * k, bias, residual, residual_rows, inner, out, out_stride, row, column, end, n,
                k, flags, soon, lines);
      }
  }
}
#endif
