/* Products of tiles in bfloat16 with sums of float32, for the kernels that include this file (matrix_chain.cl, matrix_attention.cl, matrix_backward.cl): by the
 * matrix units of x86 processors (units_amx.cl), or with RVM_UNITS_AVX512 by dot products of vectors (units_avx512.cl). A tile has up to 16 rows of 64 bytes:
 *
 *                            32 columns
 *                        +-------+-------+
 *             32 of k    | even  |  odd  |     w: 16 pairs of k by 16 columns, each
 *                        +-------+-------+
 *          +--------+    +-------+-------+
 *          |   a0   |    |       |       |     a: `height` rows by 32 of k, each
 *          +--------+    +-------+-------+
 *          |   a1   |    |       |       |     sums, which go through memory to what is done with them
 *          +--------+    +-------+-------+
 *
 * Compilers know nothing of tile registers: the instructions are inline assembly, for which no target feature is needed. The assembly is in functions
 * that are not inlined, because PoCL 6 stops the process when it is asked for the binary of a kernel that has assembly in itself. A mnemonic that a
 * compiler does not know is dropped in silence: ops/gemm_matrix_units.c tries a product before these kernels are used.
 *
 * Work-groups are one work-item. It configures the tiles when it begins and releases them before it ends: the thread belongs to the OpenCL runtime.
 * RVM_VECTOR is 16. */

#define APART __attribute__ ((noinline)) void
#define STEP 32          /* of k, in a tile */
#define TILE 512         /* bfloat16s of a tile of w */
#define WIDE 32          /* columns of a panel */

/* Addresses go to the instructions as numbers. */
#define ADDRESS(p) ((ulong) (p))

#if RVM_UNITS_AVX512
#include "units_avx512.cl"
#else
#include "units_amx.cl"
#endif

/* float to bfloat16 in the upper halves, to nearest, ties to even. */
uint16
round_bits (float16 x)
{
  const uint16 u = as_uint16 (x);

  return u + 0x7fffu + (u >> 16 & 1u);
}

/* Pairs of bfloat16: one store and no narrowing, which PoCL does element by element. */
uint16
to_pairs (float16 low, float16 high)
{
  return round_bits (low) >> 16 | (round_bits (high) & 0xffff0000u);
}

void
store_bfloats (float16 x, __global ushort *to, uint count)
{
  uint lanes[16];

  vstore16 (round_bits (x) >> 16, 0, lanes);
  for (uint l = 0; l < min (count, 16u); l++)
    to[l] = lanes[l];
}

/* Pairs are stored as whole words, where there are @count >= 32 elements on the boundary of a word. */
void
store_pairs (float16 even, float16 odd, __global ushort *to, uint count)
{
  uint lanes[16];

  if (count >= WIDE && (ADDRESS (to) & 3) == 0) {
    vstore16 (to_pairs (even, odd), 0, (__global uint *) to);
    return;
  }
  vstore16 (to_pairs (even, odd), 0, lanes);
  for (uint l = 0; l < min (count, (uint) WIDE); l++)
    to[l] = lanes[l / 2] >> l % 2 * 16;
}

/* 32 bfloat16s, as pairs; those from @count on are zeros. */
uint16
load_pairs (__global const ushort *from, uint count)
{
  uint lanes[16];

  if (count >= WIDE && (ADDRESS (from) & 3) == 0)
    return vload16 (0, (__global const uint *) from);
  for (uint l = 0; l < 16; l++)
    lanes[l] = (2 * l < count ? (uint) from[2 * l] : 0u) | (2 * l + 1 < count ? (uint) from[2 * l + 1] << 16 : 0u);
  return vload16 (0, lanes);
}

/* Transposes a square of pairs in place: see transpose_square() in common.cl. */
void
transpose_pairs (uint16 *rows)
{
#pragma unroll
  for (uint step = 1; step < 16; step *= 2) {
    uint16 shuffled[16];

#pragma unroll
    for (uint i = 0; i < 8; i++) {
      shuffled[2 * i].even = rows[i].lo;
      shuffled[2 * i].odd = rows[i + 8].lo;
      shuffled[2 * i + 1].even = rows[i].hi;
      shuffled[2 * i + 1].odd = rows[i + 8].hi;
    }
#pragma unroll
    for (uint i = 0; i < 16; i++)
      rows[i] = shuffled[i];
  }
}

/* 2^x with a relative error of 8e-5, a fiftieth of what bfloat16 has; x in [-126, 126]. The constant is subtracted as an integer: relaxed arithmetic
 * may leave out a subtraction of what was added. */
float16
exp2_fast (float16 x)
{
  const int16 shifted = as_int16 (x + 12582912.0f);
  const float16 f = x - convert_float16 (shifted - 0x4b400000);
  float16 p = fma ((float16) 5.517167e-2f, f, (float16) 2.4261112e-1f);

  p = fma (p, f, (float16) 6.9326099e-1f);
  p = fma (p, f, (float16) 9.9992807e-1f);
  return as_float16 (as_int16 (p) + (shifted << 23));
}

/* 1 / x with a relative error of 1.2e-5, for x in [1, 2^100]: an estimate and two steps of Newton's method, in half of the time of a division. */
float16
reciprocal_fast (float16 x)
{
  float16 y = as_float16 (0x7ef127ea - as_int16 (x));

  y = y * fma (-x, y, (float16) 2.0f);
  return y * fma (-x, y, (float16) 2.0f);
}

/* rvm_gelu() with a relative error of 1e-4. */
float16
gelu_fast (float16 x)
{
  const float16 inner = x * fma (x * x, (float16) (0.0356774081f * -2.885390082f), (float16) (0.7978845608f * -2.885390082f));
  float16 limited = inner < -90.0f ? (float16) -90.0f : inner;

  limited = limited > 90.0f ? (float16) 90.0f : limited;
  return x * reciprocal_fast (1.0f + exp2_fast (limited));
}

/* Row @row of @count floats or bfloat16s as bfloat16s, and zeros up to a multiple of STEP. */
void
pack_row (__global const uchar *from, uint is_bfloat, __global ushort *to, uint count)
{
  for (uint i = 0; i < count; i += STEP) {
    uint16 pairs;

    if (is_bfloat) {
      pairs = load_pairs ((__global const ushort *) from + i, count - i);
    } else {
      __global const float *x = (__global const float *) from + i;
      const float16 low = load_upto (x, count - i), high = count - i > 16 ? load_upto (x + 16, count - i - 16) : (float16) 0.0f;

      pairs = to_pairs ((float16) (low.even, high.even), (float16) (low.odd, high.odd));
    }
    vstore16 (pairs, 0, (__global uint *) (to + i));
  }
}
