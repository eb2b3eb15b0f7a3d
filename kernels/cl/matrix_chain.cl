/* Linear layers and layer norms by matrix units: the kernel `chain` of linear.cl with products of bfloat16.
 *
 *   a, out     (m, k), (m, n), float32 or bfloat16, with offset and stride
 *   w          (panels of 32 columns, steps of 32 of k, 2 tiles, 16 pairs of k, 16 columns, 2): the tile of even columns, then that of odd ones, so that
 *              two vectors of sums are stored as pairs of bfloat16 without shuffling. Padding of k and n is zero
 *   bias       (panels * 32)
 *   residual, pre_gelu: as in linear.cl
 *
 * Steps whose rows are not bfloat16s in whole steps of k are packed into scratch first: (m, scratch_stride) bfloat16. */
#include "matrix_units.cl"

/* Where a product goes; the fields are those of linear.cl. */
typedef struct {
  __global const float *bias, *residual;
  __global float *pre_gelu;
  __global uchar *out; /* row 0 */
  uint residual_rows, out_stride, out_is_bfloat, n, flags;
} Target;

/* One row of 32 columns, which are the even and the odd ones. */
__attribute__ ((always_inline)) void
finish_row (float16 even, float16 odd, const Target *target, uint row, uint column)
{
  const uint n = target->n, flags = target->flags, added = row < target->residual_rows ? row : row % target->residual_rows;
  const size_t at = (size_t) row * target->out_stride + column;
  float16 y[2];

  y[0].even = even.lo;
  y[0].odd = odd.lo;
  y[1].even = even.hi;
  y[1].odd = odd.hi;
  for (uint j = 0; j < 2 && column + j * 16 < n; j++) {
    const uint c = column + j * 16, count = n - c;
    float16 x = y[j];

    if (flags & RVM_EPILOGUE_BIAS)
      x += vload16 (0, target->bias + c);
    if (flags & RVM_EPILOGUE_GELU_SLOPE)
      x *= rvm_gelu_slope (load_upto (target->pre_gelu + (size_t) row * n + c, count));
    if (flags & RVM_EPILOGUE_PRE_GELU)
      store_upto (x, target->pre_gelu + (size_t) row * n + c, count);
    if (flags & RVM_EPILOGUE_GELU)
      x = gelu_fast (x);
    if (flags & RVM_EPILOGUE_RESIDUAL)
      x += load_upto (target->residual + (size_t) added * n + c, count);
    if (target->out_is_bfloat)
      store_bfloats (x, (__global ushort *) target->out + at + j * 16, count);
    else
      store_upto (x, (__global float *) target->out + at + j * 16, count);
  }
}

/* The epilogue of two tiles of rows, which begin at @row0 and @row1. Rows before @done are those of tiles before, which these overlap. */
APART
finish_tiles (const float *sums, const Target *target, uint row0, uint row1, uint height, uint done, uint column)
{
  const uint count = target->n - column, flags = target->flags;
  const bool is_simple = target->out_is_bfloat && !(flags & (RVM_EPILOGUE_GELU_SLOPE | RVM_EPILOGUE_PRE_GELU | RVM_EPILOGUE_RESIDUAL));
  float16 bias_even = 0.0f, bias_odd = 0.0f;

  if (is_simple && (flags & RVM_EPILOGUE_BIAS)) {
    const float16 low = vload16 (0, target->bias + column), high = vload16 (1, target->bias + column);
    bias_even = (float16) (low.even, high.even);
    bias_odd = (float16) (low.odd, high.odd);
  }
  for (uint l = 0; l < 2 * height; l++) {
    const uint row = l < height ? row0 + l : row1 + l - height;
    float16 even = vload16 (0, sums + l * WIDE), odd = vload16 (1, sums + l * WIDE);

    if (row < done)
      continue;
    done = row + 1;
    if (!is_simple) {
      finish_row (even, odd, target, row, column);
      continue;
    }
    even += bias_even;
    odd += bias_odd;
    if (flags & RVM_EPILOGUE_GELU) {
      even = gelu_fast (even);
      odd = gelu_fast (odd);
    }
    store_pairs (even, odd, (__global ushort *) target->out + (size_t) row * target->out_stride + column, count);
  }
}

/* A linear layer for @rows rows from @first on, in tiles of @height rows. @a: row @first, bfloat16, rows of @a_stride bytes; @steps of k. */
void
multiply_block (ulong a, ulong a_stride, __global const ushort *w, uint steps, const Target *target, uint first, uint rows, uint height)
{
  const uint pairs = ((rows + height - 1) / height + 1) / 2, lines = (2 * TILE * 2 / 64 + pairs - 1) / pairs;
  float sums[2 * 16 * WIDE] __attribute__ ((aligned (64)));
  const ulong sums0 = ADDRESS (sums), sums1 = sums0 + height * WIDE * sizeof (float);

  for (uint column = 0; column < target->n; column += WIDE, w += (size_t) steps * 2 * TILE) {
    /* The next panel is fetched in as many pieces as the block has pairs of tiles. */
    ulong soon = ADDRESS (w + (size_t) steps * 2 * TILE);
    uint done = 0;

    for (uint t = 0; t < pairs; t++, soon += (ulong) steps * lines * 64) {
      /* The last tiles may overlap those before them. */
      const uint row0 = min (2 * t * height, rows - height), row1 = min (row0 + height, rows - height);

      tiles_multiply (a + row0 * a_stride, a + row1 * a_stride, a_stride, ADDRESS (w), 2 * TILE * 2, TILE * 2, steps, sums0, sums1, WIDE * sizeof (float),
          soon, column + WIDE < target->n ? lines : 0, height);
      finish_tiles (sums, target, first + row0, first + row1, height, first + done, column);
      done = row1 + height;
    }
  }
}

/* layernorm_row() of common.cl with bfloat16 for its output. */
void
norm_row (__global const float *from, __global const float *scale, __global const float *bias, uint has_bias, __global ushort *to, uint dim, float epsilon)
{
  const float2 moments = row_moments (from, dim, epsilon, 0);

  for (uint i = 0; i < dim; i += WIDE) {
    float16 y[2];

    for (uint j = 0; j < 2; j++) {
      const uint c = i + j * 16, count = c < dim ? dim - c : 0;

      y[j] = (load_upto (from + c, count) - moments.x) * moments.y * load_upto (scale + c, count);
      if (has_bias)
        y[j] += load_upto (bias + c, count);
    }
    store_pairs ((float16) (y[0].even, y[1].even), (float16) (y[0].odd, y[1].odd), to + i, dim - i);
  }
}

#define STEP_ARGS(s)                                                                                                         \
  uint16 step##s, __global const uchar *a##s, __global const uchar *w##s, __global const float *bias##s,                     \
      __global const float *residual##s, __global float *pre_gelu##s, __global uchar *out##s

/* Global size (ceil (m / block)). */
__kernel __attribute__ ((reqd_work_group_size (1, 1, 1))) void
matrix_chain (uint m, uint block, uint steps, __global ushort *scratch, uint scratch_stride, STEP_ARGS (0), STEP_ARGS (1), STEP_ARGS (2), STEP_ARGS (3),
    STEP_ARGS (4), STEP_ARGS (5)) /* RVM_CHAIN_STEPS of them */
{
  const uint first = get_global_id (0) * block, rows = min (block, m - first);
  /* Pairs of equal tiles: 129 rows are 10 tiles of 13 rather than 8 of 16 and one row. */
  const uint tiles = (rows + 2 * MOST_ROWS - 1) / (2 * MOST_ROWS) * 2, height = (rows + tiles - 1) / tiles;

  tiles_configure (height);
#pragma unroll 1
  for (uint s = 0; s < steps; s++) {
    uint16 step;
    __global const uchar *a, *w;
    __global const float *bias, *residual;
    __global float *pre_gelu;
    __global uchar *out;

    switch (s) {
      CASE (0);
      CASE (1);
      CASE (2);
      CASE (3);
      CASE (4);
      default:
      CASE (5);
    }
    const uint k = NUMBER (step, RVM_STEP_K), n = NUMBER (step, RVM_STEP_N), flags = NUMBER (step, RVM_STEP_FLAGS);
    const uint a_is_bfloat = flags & RVM_STEP_A_BF16, out_is_bfloat = flags & RVM_STEP_OUT_BF16, a_bytes = a_is_bfloat ? 2 : 4;
    const size_t a_stride = (size_t) NUMBER (step, RVM_STEP_A_STRIDE) * a_bytes, out_stride = NUMBER (step, RVM_STEP_OUT_STRIDE);

    a += (size_t) NUMBER (step, RVM_STEP_A_OFFSET) * a_bytes + first * a_stride;
    out += (size_t) NUMBER (step, RVM_STEP_OUT_OFFSET) * (out_is_bfloat ? 2 : 4);
    if (NUMBER (step, RVM_STEP_IS_NORM)) {
      const float epsilon = as_float (NUMBER (step, RVM_STEP_EPSILON));

      for (uint row = first; row < first + rows; row++, a += a_stride)
        if (out_is_bfloat)
          norm_row ((__global const float *) a, (__global const float *) w, bias, flags & RVM_EPILOGUE_BIAS, (__global ushort *) out + row * out_stride, n,
              epsilon);
        else
          layernorm_row ((__global const float *) a, (__global const float *) w, bias, flags & RVM_EPILOGUE_BIAS, (__global float *) out + row * out_stride,
              n, epsilon, 0);
    } else {
      const Target target = { bias, residual, pre_gelu, out, NUMBER (step, RVM_STEP_RESIDUAL_ROWS), out_stride, out_is_bfloat, n, flags };
      const uint k_steps = (k + STEP - 1) / STEP;

      if (a_is_bfloat && k % STEP == 0) {
        multiply_block (ADDRESS (a), a_stride, (__global const ushort *) w, k_steps, &target, first, rows, height);
      } else {
        __global ushort *packed = scratch + (size_t) first * scratch_stride;

        for (uint row = 0; row < rows; row++)
          pack_row (a + row * a_stride, a_is_bfloat, packed + (size_t) row * scratch_stride, k);
        multiply_block (ADDRESS (packed), scratch_stride * 2, (__global const ushort *) w, k_steps, &target, first, rows, height);
      }
    }
  }
  tiles_release ();
}
