/* Precedes every other source: vectors, functions of vectors, rows in lanes, the epilogue of linear layers, and sums over rows.
 *
 * RVM_VECTOR is the number of floats that a work-item handles at once: the device's native width on CPUs, 1 on GPUs. Kernels are written for
 * vectors (`vec`) and a scalar tail, so rows of any length work on any device.
 *
 * All matrices are row-major. (rows, columns) is the shape of a matrix; (a, b, c) is that of a b x c matrices one after the other. */

#ifndef RVM_VECTOR
#define RVM_VECTOR 8 /* floats in a vec: 1, 4, 8 or 16 */
#endif

/* Without an instruction for it, a fused multiply-add is a function of a hundred integer operations: on llvmpipe a product then takes 24 times as
 * long. No kernel depends on the single rounding of fma(). */
#if RVM_NO_FMA
#define fma mad
#endif

#define RVM_JOIN_(a, b) a##b
#define RVM_JOIN(a, b) RVM_JOIN_ (a, b)

#if RVM_VECTOR == 1
typedef float vec;
typedef int ivec;
typedef uint uvec;
#define VLOAD(p) (*(p))
#define VSTORE(v, p) (*(p) = (v))
#define AS_VEC(x) as_float (x)
#define AS_IVEC(x) as_int (x)
#define AS_UVEC(x) as_uint (x)
#define TO_VEC(x) convert_float (x)
#define VSUM(v) (v)
#else
typedef RVM_JOIN (float, RVM_VECTOR) vec;
typedef RVM_JOIN (int, RVM_VECTOR) ivec;
typedef RVM_JOIN (uint, RVM_VECTOR) uvec;
#define VLOAD(p) RVM_JOIN (vload, RVM_VECTOR) (0, p)
#define VSTORE(v, p) RVM_JOIN (vstore, RVM_VECTOR) (v, 0, p)
#define AS_VEC(x) RVM_JOIN (as_float, RVM_VECTOR) (x)
#define AS_IVEC(x) RVM_JOIN (as_int, RVM_VECTOR) (x)
#define AS_UVEC(x) RVM_JOIN (as_uint, RVM_VECTOR) (x)
#define TO_VEC(x) RVM_JOIN (convert_float, RVM_VECTOR) (x)
#if RVM_VECTOR == 4
#define VSUM(v) sum4 (v)
#elif RVM_VECTOR == 8
#define VSUM(v) sum4 ((v).lo + (v).hi)
#elif RVM_VECTOR == 16
#define VSUM(v) sum4 ((v).lo.lo + (v).lo.hi + (v).hi.lo + (v).hi.hi)
#endif
#endif

/* The integers nearest to x, for |x| < 2^22: the last bits of x + 1.5 * 2^23. With PoCL, convert_int_rte() takes twenty instructions, more than the
 * rest of an exponential. */
#define TO_IVEC_ROUND(x) (AS_IVEC ((x) + 12582912.0f) - 0x4b400000)

/* The bits of a float, or of floats, rounded to bfloat16: to nearest, ties to even. The lower half is zero. A NaN that arithmetic made stays one. */
#define BFLOAT_BITS(u) (((u) + 0x7fffu + ((u) >> 16 & 1u)) & 0xffff0000u)

/* With RVM_ROUND the products of training take operands that are rounded to bfloat16. They stay floats: two of them multiply exactly, and sums are
 * those of float32. */
#ifndef RVM_ROUND
#define RVM_ROUND 0
#endif

__attribute__ ((always_inline)) vec
operands (vec x)
{
  return RVM_ROUND ? AS_VEC (BFLOAT_BITS (AS_UVEC (x))) : x;
}

__attribute__ ((always_inline)) float
operand (float x)
{
  return RVM_ROUND ? as_float (BFLOAT_BITS (as_uint (x))) : x;
}

/* Asks for a cache line that will be needed soon: rows and panels are too short for the processor to predict the next one. Only used where it was
 * measured to help (program.c): OpenCL's own prefetch() does nothing with PoCL and costs a call with Intel's runtime. */
#define CACHE_LINE 16 /* floats */
#if RVM_BUILTIN_PREFETCH
#define PREFETCH(p) __builtin_prefetch ((const void *) (uintptr_t) (p), 0, 2)
#else
#define PREFETCH(p)
#endif

float
sum4 (float4 v)
{
  return (v.x + v.z) + (v.y + v.w);
}

/* e^x with a relative error below 2e-7 for x in [-87, 88]; smaller x give about 1e-38, larger ones e^88.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2; e^r is a polynomial of degree 6 (coefficients of the Cephes library), 2^n is made of exponent bits. The
 * built-in exp() is a library call per lane with several CPU runtimes. */
vec
rvm_exp (vec x)
{
  x = min (max (x, (vec) -87.0f), (vec) 88.0f);
  const ivec n = TO_IVEC_ROUND (x * 1.44269504088896341f);
  const vec nf = TO_VEC (n);
  vec r = fma (nf, (vec) -0.693359375f, x);
  r = fma (nf, (vec) 2.12194440e-4f, r);
  vec p = fma ((vec) 1.9875691500e-4f, r, (vec) 1.3981999507e-3f);
  p = fma (p, r, (vec) 8.3334519073e-3f);
  p = fma (p, r, (vec) 4.1665795894e-2f);
  p = fma (p, r, (vec) 1.6666665459e-1f);
  p = fma (p, r, (vec) 5.0000001201e-1f);
  p = fma (p, r * r, r) + 1.0f;
  return p * AS_VEC ((n + 127) << 23);
}

/* 2^x for x <= 0 with a relative error below 3e-7; x below -126 give about 1e-38. 2^fraction is approximated by a minimax polynomial of degree 5
 * (Remez, relative error 8e-8 before rounding). For softmax: log2 (e) is part of the scale of the scores. */
vec
rvm_exp2_negative (vec x)
{
  x = max (x, (vec) -126.0f);
  const ivec n = TO_IVEC_ROUND (x);
  const vec f = x - TO_VEC (n);
  vec p = fma ((vec) 1.3276471993e-03f, f, (vec) 9.6755413345e-03f);
  p = fma (p, f, (vec) 5.5507132735e-02f);
  p = fma (p, f, (vec) 2.4022119724e-01f);
  p = fma (p, f, (vec) 6.9314696706e-01f);
  p = fma (p, f, (vec) 1.0f);
  return AS_VEC (AS_IVEC (p) + (n << 23));
}

#if RVM_VECTOR > 1
/* Transposes a square of vectors in place, by log2 (RVM_VECTOR) perfect shuffles of row i with row i + RVM_VECTOR / 2. These are shuffles of whole
 * registers, where a plain loop has a scalar load and store per element. */
void
transpose_square (vec *rows)
{
#pragma unroll
  for (uint step = 1; step < RVM_VECTOR; step *= 2) {
    vec shuffled[RVM_VECTOR];
#pragma unroll
    for (uint i = 0; i < RVM_VECTOR / 2; i++) {
      shuffled[2 * i].even = rows[i].lo;
      shuffled[2 * i].odd = rows[i + RVM_VECTOR / 2].lo;
      shuffled[2 * i + 1].even = rows[i].hi;
      shuffled[2 * i + 1].odd = rows[i + RVM_VECTOR / 2].hi;
    }
#pragma unroll
    for (uint i = 0; i < RVM_VECTOR; i++)
      rows[i] = shuffled[i];
  }
}
#endif

/* Rows of a matrix in the lanes of vectors, for kernels whose lanes are rows:
 *
 *   lane l of lanes[d * vectors + x] = element d of row start + x * RVM_VECTOR + l
 *
 * Rows past the end are read as copies of the last row, and are not written. @dim and @vectors are constants. */
#define LANE(array, vectors, d, l) (((float *) (array))[(d) * (vectors) * RVM_VECTOR + (l)])

void
rows_to_lanes (vec *lanes, __global const float *restrict from, uint stride, uint start, uint rows, uint dim, uint vectors, float scale)
{
#if RVM_VECTOR > 1
  const uint squares = dim / RVM_VECTOR * RVM_VECTOR; /* elements that whole squares cover */

  for (uint x = 0; x < vectors; x++)
    for (uint d = 0; d < squares; d += RVM_VECTOR) {
      vec square[RVM_VECTOR];
#pragma unroll
      for (uint l = 0; l < RVM_VECTOR; l++)
        square[l] = VLOAD (from + (size_t) min (start + x * RVM_VECTOR + l, rows - 1) * stride + d);
      transpose_square (square);
#pragma unroll
      for (uint l = 0; l < RVM_VECTOR; l++)
        lanes[(d + l) * vectors + x] = square[l] * scale;
    }
  for (uint l = 0; l < vectors * RVM_VECTOR; l++)
    for (uint d = squares; d < dim; d++)
      LANE (lanes, vectors, d, l) = from[(size_t) min (start + l, rows - 1) * stride + d] * scale;
#else
  for (uint d = 0; d < dim; d++)
    lanes[d] = from[(size_t) min (start, rows - 1) * stride + d] * scale;
#endif
}

void
lanes_to_rows (const vec *lanes, __global float *restrict to, uint stride, uint start, uint rows, uint dim, uint vectors)
{
#if RVM_VECTOR > 1
  const uint squares = dim / RVM_VECTOR * RVM_VECTOR;

  for (uint x = 0; x < vectors; x++)
    for (uint d = 0; d < squares; d += RVM_VECTOR) {
      vec square[RVM_VECTOR];
#pragma unroll
      for (uint l = 0; l < RVM_VECTOR; l++)
        square[l] = lanes[(d + l) * vectors + x];
      transpose_square (square);
#pragma unroll
      for (uint l = 0; l < RVM_VECTOR; l++)
        if (start + x * RVM_VECTOR + l < rows)
          VSTORE (square[l], to + (size_t) (start + x * RVM_VECTOR + l) * stride + d);
    }
  for (uint l = 0; l < vectors * RVM_VECTOR && start + l < rows; l++)
    for (uint d = squares; d < dim; d++)
      to[(size_t) (start + l) * stride + d] = LANE (lanes, vectors, d, l);
#else
  if (start < rows)
    for (uint d = 0; d < dim; d++)
      to[(size_t) start * stride + d] = lanes[d];
#endif
}

vec
rvm_sigmoid (vec x)
{
  return 1.0f / (1.0f + rvm_exp (-x));
}

/* GELU in its tanh form, 0.5 x (1 + tanh (z)) with z = sqrt (2 / pi) (x + 0.044715 x^3), computed as x sigmoid (2 z): the same function without
 * cancellation for negative x. */
vec
rvm_gelu (vec x)
{
  const vec z = x * fma (x * x, (vec) 0.0356774081f, (vec) 0.7978845608f);
  return x * rvm_sigmoid (2.0f * z);
}

/* The derivative of rvm_gelu. */
vec
rvm_gelu_slope (vec x)
{
  const vec z = x * fma (x * x, (vec) 0.0356774081f, (vec) 0.7978845608f);
  const vec s = rvm_sigmoid (2.0f * z);
  const vec slope = fma (x * x, (vec) 0.2140644488f, (vec) 1.5957691216f); /* of 2 z */
  return fma (x * s * (1.0f - s), slope, s);
}

/* Loads and stores of a vector of which only the first @count floats exist; @count may be larger than a vector. The others are read as zeros and are
 * not written. For the columns after the last whole vector. */
__attribute__ ((always_inline)) vec
load_upto (__global const float *from, uint count)
{
  float lanes[RVM_VECTOR];

  if (count >= RVM_VECTOR)
    return VLOAD (from);
  for (uint l = 0; l < RVM_VECTOR; l++)
    lanes[l] = l < count ? from[l] : 0.0f;
  return VLOAD (lanes);
}

__attribute__ ((always_inline)) void
store_upto (vec x, __global float *to, uint count)
{
  float lanes[RVM_VECTOR];

  if (count >= RVM_VECTOR) {
    VSTORE (x, to);
    return;
  }
  VSTORE (x, lanes);
  for (uint l = 0; l < count; l++)
    to[l] = lanes[l];
}

/* What a linear layer does to a product before it is stored at @to; @flags are RVM_EPILOGUE_... (flags.h).
 *
 * @y: @vectors vectors (a constant) side by side, of which @count floats exist. @bias: readable to the end of the last vector. @pre_gelu: written
 * with RVM_EPILOGUE_PRE_GELU, read with RVM_EPILOGUE_GELU_SLOPE. */

#define EACH_VECTOR _Pragma ("unroll") for (uint j = 0; j < vectors; j++)

__attribute__ ((always_inline)) void
rvm_epilogue (vec *y, uint vectors, __global const float *bias, __global const float *residual, __global float *pre_gelu, __global float *to,
    uint count, uint flags)
{
  if (flags & RVM_EPILOGUE_BIAS)
    EACH_VECTOR y[j] += VLOAD (bias + j * RVM_VECTOR);
  if (flags & RVM_EPILOGUE_GELU_SLOPE)
    EACH_VECTOR y[j] *= rvm_gelu_slope (load_upto (pre_gelu + j * RVM_VECTOR, count - j * RVM_VECTOR));
  if (flags & RVM_EPILOGUE_PRE_GELU)
    EACH_VECTOR store_upto (y[j], pre_gelu + j * RVM_VECTOR, count - j * RVM_VECTOR);
  if (flags & RVM_EPILOGUE_GELU)
    EACH_VECTOR y[j] = rvm_gelu (y[j]);
  if (flags & RVM_EPILOGUE_RESIDUAL)
    EACH_VECTOR y[j] += load_upto (residual + j * RVM_VECTOR, count - j * RVM_VECTOR);
  EACH_VECTOR store_upto (y[j], to + j * RVM_VECTOR, count - j * RVM_VECTOR);
}

/* Sums over a row by a work-group of RVM_GROUP work-items: 1 on CPUs, a power of two on GPUs. The order of additions depends only on the length of
 * the row and on the build, so results are reproducible. */

#ifndef RVM_GROUP
#define RVM_GROUP 1 /* work-items that share a row */
#endif

#define ROW_KERNEL __kernel __attribute__ ((reqd_work_group_size (RVM_GROUP, 1, 1))) void

/* Runs BODY for each whole vector of [0, dim) and TAIL for each element after the last one, shared among the group; `i` is the index of the (first)
 * element. */
#define FOR_ROW(dim, BODY, TAIL)                                                        \
  do {                                                                                  \
    const uint whole_ = (dim) / RVM_VECTOR * RVM_VECTOR;                                \
    for (uint i = get_local_id (0) * RVM_VECTOR; i < whole_; i += RVM_GROUP * RVM_VECTOR) { \
      BODY;                                                                             \
    }                                                                                   \
    if (get_local_id (0) == 0)                                                          \
      for (uint i = whole_; i < (dim); i++) {                                           \
        TAIL;                                                                           \
      }                                                                                 \
  } while (0)

#if RVM_GROUP > 1
float
group_sum (float x, __local float *scratch)
{
  const uint id = get_local_id (0);

  barrier (CLK_LOCAL_MEM_FENCE);
  scratch[id] = x;
  for (uint half_size = RVM_GROUP / 2; half_size > 0; half_size /= 2) {
    barrier (CLK_LOCAL_MEM_FENCE);
    if (id < half_size)
      scratch[id] += scratch[id + half_size];
  }
  barrier (CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}
#define GROUP_SCRATCH __local float scratch[RVM_GROUP]
#define GROUP_SUM(x) group_sum (x, scratch)
#else
#define GROUP_SCRATCH __local float *scratch = 0
#define GROUP_SUM(x) (x)
#endif

/* The moments of a row of @dim floats, by a work-group: .x is its mean, .y is 1 / sqrt (variance + epsilon). @scratch: GROUP_SCRATCH.
 *
 * The mean is computed first, then the variance of the differences from it: two passes over a row that is in cache cost less than the cancellation
 * of the form with one pass. */
float2
row_moments (__global const float *from, uint dim, float epsilon, __local float *scratch)
{
  vec sums = (vec) 0.0f;
  float sum = 0.0f;

  FOR_ROW (dim, sums += VLOAD (from + i), sum += from[i]);
  const float mean = GROUP_SUM (sum + VSUM (sums)) / dim;

  sums = (vec) 0.0f;
  sum = 0.0f;
  FOR_ROW (dim, const vec d = VLOAD (from + i) - mean; sums = fma (d, d, sums), const float d = from[i] - mean; sum += d * d);
  return (float2) (mean, rsqrt (GROUP_SUM (sum + VSUM (sums)) / dim + epsilon));
}

/* One row of a layer norm (norm.cl), by a work-group: to = (from - mean) / deviation * scale + bias; @bias is only read if @has_bias. */
void
layernorm_row (__global const float *from, __global const float *restrict scale, __global const float *restrict bias, uint has_bias,
    __global float *to, uint dim, float epsilon, __local float *scratch)
{
  const float2 moments = row_moments (from, dim, epsilon, scratch);
  const float mean = moments.x, factor = moments.y;

  if (has_bias)
    FOR_ROW (dim, VSTORE (fma ((VLOAD (from + i) - mean) * factor, VLOAD (scale + i), VLOAD (bias + i)), to + i),
        to[i] = (from[i] - mean) * factor * scale[i] + bias[i]);
  else
    FOR_ROW (dim, VSTORE ((VLOAD (from + i) - mean) * factor * VLOAD (scale + i), to + i),
        to[i] = (from[i] - mean) * factor * scale[i]);
}

/* What kernels of several steps (linear.cl, matrix_chain.cl) have in common: a number of a step (flags.h), and the arguments of step @s, whose types differ. */
#define NUMBER(step, place) (step).RVM_JOIN (s, place)
#define CASE(s)                                                                                                              \
  case s:                                                                                                                    \
    step = step##s, a = a##s, w = w##s, bias = bias##s, residual = residual##s, pre_gelu = pre_gelu##s, out = out##s;        \
    break
