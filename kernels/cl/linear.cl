/* Linear layers:  out = epilogue (A W).  rvm_epilogue() in common.cl says what the epilogue may do.
 *
 *                             n
 *                    +---------+----+----+
 *                 k  |  panel  |    |    |  w
 *                    |         |    |    |
 *          k         +---------+----+----+        A work-item computes a tile of RVM_ROWS rows and one panel
 *      +-------+     +---------+----+----+        of PANEL = RVM_VECTORS * RVM_VECTOR columns. Its sums stay in
 *      |       |     |         |    |    |        registers; for each of the k rows of the panel it loads a row
 *   m  |#######|     |## tile #|    |    |        of the panel and one element of each of its rows of A.
 *      |   a   |     |         |    |    |  out
 *      +-------+     +---------+----+----+
 *
 *   a          (m, k), with offset and stride
 *   w          (panels, k, PANEL): a panel is contiguous; the last one is filled up with zeros
 *   bias       (panels * PANEL)
 *   residual   (residual_rows, n): row i mod residual_rows is added to row i
 *   pre_gelu   (m, n)
 *   out        (m, n), with offset and stride
 *
 * On CPUs (RVM_SIDE 1) a work-group is one work-item: the runtime spreads groups over its threads, and barriers and local memory do not pay. Groups
 * that follow each other use the same panel, which stays in cache. On GPUs a group is a square of RVM_SIDE x RVM_SIDE tiles, one for each work-item,
 * because a processor's lanes are work-items of one group. */

#ifndef RVM_ROWS
#define RVM_ROWS 6 /* rows of a tile */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors in a row of a tile */
#endif
#ifndef RVM_SIDE
#define RVM_SIDE 1 /* tiles along each side of a work-group */
#endif
#ifndef RVM_WEIGHTS
#define RVM_WEIGHTS RVM_WEIGHTS_F32 /* how w is stored (flags.h); sums are float32 */
#endif

#define PANEL (RVM_VECTORS * RVM_VECTOR)

/* With RVM_ROUND (common.cl) rows of a are rounded: in a chain when a group begins a step, otherwise whenever an element is read. */
#if RVM_CHAIN
#define LOAD_A(p) (*(p))
#else
#define LOAD_A(p) operand (*(p))
#endif

/* The sums of a large tile are stored in an array and go through one copy of the epilogue: a compiler takes longer for 24 copies of it than for
 * everything else. Mesa's compiler does not unroll that much; sums that a loop selects would then stay in memory all the time, at a sixth of the
 * speed. */
#if RVM_ROWS * RVM_VECTORS > 8
#define STORE_LOOP _Pragma ("unroll 1")
#else
#define STORE_LOOP _Pragma ("unroll")
#endif

#if RVM_WEIGHTS != RVM_WEIGHTS_F32
typedef ushort weight;
#if RVM_VECTOR == 1
#define LOAD_WEIGHT(p) widen (*(p))
#define TO_UINT(x) convert_uint (x)
#else
#define LOAD_WEIGHT(p) widen (RVM_JOIN (vload, RVM_VECTOR) (0, p))
#define TO_UINT(x) RVM_JOIN (convert_uint, RVM_VECTOR) (x)
#endif
#if RVM_VECTOR == 1
typedef ushort hvec;
#else
typedef RVM_JOIN (ushort, RVM_VECTOR) hvec;
#endif

/* Halves are widened by integer operations and one multiplication, which is right for zeros, subnormal and normal numbers; weights are checked to be
 * finite. vload_half() is a function call per element on CPUs without cl_khr_fp16. A bfloat16 is the upper half of a float. */
vec
widen (hvec h)
{
  const uvec u = TO_UINT (h);
#if RVM_WEIGHTS == RVM_WEIGHTS_F16
  return AS_VEC ((u & 0x7fffu) << 13 | (u & 0x8000u) << 16) * 0x1p112f;
#else
  return AS_VEC (u << 16);
#endif
}
#else
typedef float weight;
#define LOAD_WEIGHT(p) VLOAD (p)
#endif

/* The epilogue of a tile of @rows rows. Not inlined, because it is most of what there is to compile. The other arguments are those of gemm. */
__attribute__ ((noinline)) void
finish_tile (const vec *sums, uint rows, __global const float *bias, __global const float *residual, uint residual_rows, __global float *pre_gelu,
    __global float *out, uint out_stride, uint row, uint column, uint m, uint n, uint flags)
{
  STORE_LOOP
  for (uint i = 0; i < rows && row + i < m; i++) {
    /* The division is avoided: it takes as long as all the rest. */
    const uint added = row + i < residual_rows ? row + i : (row + i) % residual_rows;
    __global const float *add = residual + (size_t) added * n + column;
    __global float *pre = pre_gelu + (size_t) (row + i) * n + column, *to = out + (size_t) (row + i) * out_stride + column;

    if (column + PANEL <= n) {
      vec y[RVM_VECTORS];
#pragma unroll
      for (uint j = 0; j < RVM_VECTORS; j++)
        y[j] = sums[i * RVM_VECTORS + j];
      rvm_epilogue (y, RVM_VECTORS, bias + column, add, pre, to, PANEL, flags);
    } else {
      STORE_LOOP
      for (uint j = 0; column + j * RVM_VECTOR < n; j++) {
        const uint c = j * RVM_VECTOR;
        vec y = sums[i * RVM_VECTORS + j];
        rvm_epilogue (&y, 1, bias + column + c, add + c, pre + c, to + c, n - column - c, flags); /* bias is as wide as the panels */
      }
    }
  }
}

/* One tile. @rows: a constant of at most RVM_ROWS. @a, @out: their row 0. @panel: of w. @soon: memory that the next tiles will need, of which
 * @soon_lines cache lines are fetched for each cache line of a row of @a. The other arguments are those of gemm. */
__attribute__ ((always_inline)) void
gemm_tile (uint rows, __global const float *a, uint a_stride, __global const weight *panel, __global const float *bias,
    __global const float *residual, uint residual_rows, __global float *pre_gelu, __global float *out, uint out_stride, uint row, uint column, uint m,
    uint n, uint k, uint flags, __global const float *soon, uint soon_lines)
{
  __global const float *a_row[RVM_ROWS];
  vec acc[RVM_ROWS][RVM_VECTORS], sums[RVM_ROWS * RVM_VECTORS];

  /* Rows past the end read the last row and are not stored, so the loop needs no branch. */
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
      const vec x = (vec) LOAD_A (a_row[i] + p);
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
  finish_tile (sums, rows, bias, residual, residual_rows, pre_gelu, out, out_stride, row, column, m, n, flags);
}

#if !RVM_CHAIN
__kernel __attribute__ ((reqd_work_group_size (RVM_SIDE, RVM_SIDE, 1))) void
gemm (__global const float *restrict a, uint a_offset, uint a_stride, __global const weight *restrict w,
    __global const float *restrict bias, __global const float *residual, uint residual_rows, __global float *pre_gelu,
    __global float *out, uint out_offset, uint out_stride, uint m, uint n, uint k, uint flags)
{
  const uint row = get_global_id (0) * RVM_ROWS, column = get_global_id (1) * PANEL;

#if RVM_SIDE > 1
  if (row >= m || column >= n)
    return; /* the global size is a multiple of the group's */
#endif
  /* The rows of the next tile, if there is one. */
  gemm_tile (RVM_ROWS, a + a_offset, a_stride, w + (size_t) column * k, bias, residual, residual_rows, pre_gelu, out + out_offset, out_stride, row,
      column, m, n, k, flags, a + a_offset + (size_t) (row + RVM_ROWS) * a_stride, row + 2 * RVM_ROWS <= m ? RVM_ROWS : 0);
}

#else
/* Several steps over the same m rows in one launch; each is a linear layer as above or a layer norm.
 *
 *            step 0         step 1         step 2
 *          +-------+      +-------+      +-------+
 *          |       |      |       |      |       |
 *   block  |#######|  ->  |#######|  ->  |#######|     a work-group takes its block of rows through all steps
 *          |       |      |       |      |       |
 *          +-------+      +-------+      +-------+
 *
 * ops/chain.c only joins steps whose rows do not depend on other rows of earlier steps. So no group waits for another, and a group's rows stay in
 * the caches of its core from step to step. A layer norm has its scale in w; its out may be a. NUMBER() names the numbers of a step (common.cl).
 * With RVM_ROUND the rounded rows of a linear layer's input are in scratch, (m, scratch_stride). Global size (ceil (m / block)). */
#if RVM_ROUND
void
round_rows (__global const float *from, uint stride, __global float *to, uint to_stride, uint rows, uint count)
{
  for (uint row = 0; row < rows; row++, from += stride, to += to_stride)
    for (uint i = 0; i < count; i += RVM_VECTOR)
      store_upto (operands (load_upto (from + i, count - i)), to + i, count - i);
}

#define SCRATCH_ARGS __global float *scratch, uint scratch_stride,
#else
#define SCRATCH_ARGS
#endif

#define STEP(s)                                                                                                              \
  uint16 step##s, __global const float *a##s, __global const weight *w##s, __global const float *bias##s,                    \
      __global const float *residual##s, __global float *pre_gelu##s, __global float *out##s

__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
chain (uint m, uint block, uint steps, SCRATCH_ARGS STEP (0), STEP (1), STEP (2), STEP (3), STEP (4), STEP (5)) /* RVM_CHAIN_STEPS of them */
{
  const uint first = get_global_id (0) * block, end = min (first + block, m);
  const uint tiles = (end - first + RVM_ROWS - 1) / RVM_ROWS;
  /* So many tiles have one row less that all of them together are the block. If the block is too small for that, the last tile is not full. */
  const uint missing = tiles * RVM_ROWS - (end - first), full = missing < tiles ? tiles - missing : tiles;

#pragma unroll 1
  for (uint s = 0; s < steps; s++) {
    uint16 step;
    __global const float *a, *bias, *residual;
    __global const weight *w;
    __global float *pre_gelu, *out;

    switch (s) {
      CASE (0);
      CASE (1);
      CASE (2);
      CASE (3);
      CASE (4);
      default:
      CASE (5);
    }
    uint a_stride = NUMBER (step, RVM_STEP_A_STRIDE);
    const uint out_stride = NUMBER (step, RVM_STEP_OUT_STRIDE);
    const uint residual_rows = NUMBER (step, RVM_STEP_RESIDUAL_ROWS), flags = NUMBER (step, RVM_STEP_FLAGS);
    const uint n = NUMBER (step, RVM_STEP_N), k = NUMBER (step, RVM_STEP_K);
    a += NUMBER (step, RVM_STEP_A_OFFSET);
    out += NUMBER (step, RVM_STEP_OUT_OFFSET);
#if RVM_ROUND
    if (!NUMBER (step, RVM_STEP_IS_NORM)) {
      round_rows (a + (size_t) first * a_stride, a_stride, scratch + (size_t) first * scratch_stride, scratch_stride, end - first, k);
      a = scratch, a_stride = scratch_stride;
    }
#endif
    if (NUMBER (step, RVM_STEP_IS_NORM))
      for (uint row = first; row < end; row++)
        layernorm_row (a + (size_t) row * a_stride, (__global const float *) w, bias, flags & RVM_EPILOGUE_BIAS, out + (size_t) row * out_stride, n,
            as_float (NUMBER (step, RVM_STEP_EPSILON)), 0);
    else
      for (uint column = 0; column < n; column += PANEL) {
        /* The next panel is fetched in as many pieces as the block has tiles. */
        __global const float *soon = (__global const float *) (w + (size_t) (column + PANEL) * k);
        const uint lines = column + PANEL < n ? (PANEL + tiles - 1) / tiles : 0;

        for (uint tile = 0, row = first; tile < tiles; row += tile < full ? RVM_ROWS : RVM_ROWS - 1, tile++, soon += lines * k)
          if (tile < full)
            gemm_tile (RVM_ROWS, a, a_stride, w + (size_t) column * k, bias, residual, residual_rows, pre_gelu, out, out_stride, row, column, end, n, k,
                flags, soon, lines);
          else
            gemm_tile (RVM_ROWS - 1, a, a_stride, w + (size_t) column * k, bias, residual, residual_rows, pre_gelu, out, out_stride, row, column, end, n,
                k, flags, soon, lines);
      }
  }
}
#endif
