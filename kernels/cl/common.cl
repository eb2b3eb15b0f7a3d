/* Put before every kernel file: the vector type of the device and the two functions that cost more than the rest.
 *
 * RVM_VECTOR is the number of floats a work-item handles at once: the device's native width on CPUs, 1 on GPUs. Kernels
 * are written for `vec` and a scalar tail, so any row length works on any device. */

#ifndef RVM_VECTOR
#define RVM_VECTOR 8 /* floats in a vec: 1, 4, 8 or 16 */
#endif

/* A fused multiply-add that the device has no instruction for is a function of a hundred integer operations (24 times the time of a product
 * on llvmpipe). Nothing here needs its single rounding. */
#if RVM_NO_FMA
#define fma mad
#endif

#define RVM_JOIN_(a, b) a##b
#define RVM_JOIN(a, b) RVM_JOIN_ (a, b)

#if RVM_VECTOR == 1
typedef float vec;
typedef int ivec;
#define VLOAD(p) (*(p))
#define VSTORE(v, p) (*(p) = (v))
#define AS_VEC(x) as_float (x)
#define AS_IVEC(x) as_int (x)
#define TO_VEC(x) convert_float (x)
#define VSUM(v) (v)
#else
typedef RVM_JOIN (float, RVM_VECTOR) vec;
typedef RVM_JOIN (int, RVM_VECTOR) ivec;
#define VLOAD(p) RVM_JOIN (vload, RVM_VECTOR) (0, p)
#define VSTORE(v, p) RVM_JOIN (vstore, RVM_VECTOR) (v, 0, p)
#define AS_VEC(x) RVM_JOIN (as_float, RVM_VECTOR) (x)
#define AS_IVEC(x) RVM_JOIN (as_int, RVM_VECTOR) (x)
#define TO_VEC(x) RVM_JOIN (convert_float, RVM_VECTOR) (x)
#if RVM_VECTOR == 4
#define VSUM(v) sum4 (v)
#elif RVM_VECTOR == 8
#define VSUM(v) sum4 ((v).lo + (v).hi)
#elif RVM_VECTOR == 16
#define VSUM(v) sum4 ((v).lo.lo + (v).lo.hi + (v).hi.lo + (v).hi.hi)
#endif
#endif

/* The nearest integers of x, |x| < 2^22: what the last bits of its sum with 1.5 x 2^23 say. On PoCL convert_int_rte() is twenty instructions, more than
 * the rest of an exponential. */
#define TO_IVEC_ROUND(x) (AS_IVEC ((x) + 12582912.0f) - 0x4b400000)

/* Asks for a line of cache that will be wanted soon: rows and panels are too short for a processor to guess the next one. Only where it was
 * seen to help (program.c): standard OpenCL's prefetch() does nothing on PoCL and costs a call on Intel's runtime. */
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

/* e^x with a relative error below 2e-7 for x in [-87, 88]; smaller x give about 1e-38, larger ones are clamped to
 * e^88. x = n ln 2 + r, |r| <= ln 2 / 2; a degree 6 polynomial for e^r (Cephes' coefficients); 2^n through the
 * exponent bits. Built-in exp is a library call per lane on several CPU implementations. */
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

/* 2^x for x <= 0 with a relative error below 3e-7; x below -126 give about 1e-38. A degree 5 minimax polynomial for the
 * fraction (Remez, relative error 8e-8 before rounding). For softmax, whose base can be folded into the scale of the scores. */
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
/* Transposes a square of vectors in place, by log2 (RVM_VECTOR) perfect shuffles of row i with row i + RVM_VECTOR / 2: shuffles of whole
 * registers instead of a scalar load and store per element. */
void
transpose_square (vec *rows)
{
#pragma unroll
  for (uint step = 1; step < RVM_VECTOR; step *= 2) {
    vec mixed[RVM_VECTOR];
#pragma unroll
    for (uint i = 0; i < RVM_VECTOR / 2; i++) {
      mixed[2 * i].even = rows[i].lo;
      mixed[2 * i].odd = rows[i + RVM_VECTOR / 2].lo;
      mixed[2 * i + 1].even = rows[i].hi;
      mixed[2 * i + 1].odd = rows[i + RVM_VECTOR / 2].hi;
    }
#pragma unroll
    for (uint i = 0; i < RVM_VECTOR; i++)
      rows[i] = mixed[i];
  }
}
#endif

/* Rows of a matrix in the lanes of vectors, for kernels whose lanes are rows: lanes[d * vectors + x], lane l, is element d of row
 * start + x * RVM_VECTOR + l. Rows past the end repeat the last one when read and are not written. @dim and @vectors are constants. */
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

/* GELU, tanh form: 0.5 x (1 + tanh (sqrt (2 / pi) (x + 0.044715 x^3))), written as x sigmoid (2 ...), which is the
 * same function without the cancellation for negative x. */
vec
rvm_gelu (vec x)
{
  const vec inner = x * fma (x * x, (vec) 0.0356774081f, (vec) 0.7978845608f);
  return x * rvm_sigmoid (2.0f * inner);
}

/* The derivative of rvm_gelu. */
vec
rvm_gelu_slope (vec x)
{
  const vec inner = x * fma (x * x, (vec) 0.0356774081f, (vec) 0.7978845608f);
  const vec s = rvm_sigmoid (2.0f * inner);
  const vec slope = fma (x * x, (vec) 0.2140644488f, (vec) 1.5957691216f); /* of 2 inner */
  return fma (x * s * (1.0f - s), slope, s);
}

/* A vector of which only the first @count floats exist (all of them if @count is larger): zeros are read after them, nothing is
 * written there. For the columns after the last whole vector. */
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

/* What a linear layer does to a product on the way to memory, to @vectors (a constant) side by side of which @count floats exist.
 *
 * FLAG_BIAS: @bias, readable to the end of the last vector, is added. FLAG_INNER: y is then also stored at @inner. FLAG_GELU: y = GELU (y).
 * FLAG_GELU_SLOPE: y is multiplied by GELU' (@inner), which is the way back through FLAG_INNER | FLAG_GELU. FLAG_RESIDUAL: @residual is
 * added last. */
#define FLAG_BIAS 1u
#define FLAG_GELU 2u
#define FLAG_RESIDUAL 4u
#define FLAG_INNER 8u
#define FLAG_GELU_SLOPE 16u

#define EACH_VECTOR _Pragma ("unroll") for (uint j = 0; j < vectors; j++)

__attribute__ ((always_inline)) void
rvm_epilogue (vec *y, uint vectors, __global const float *bias, __global const float *residual, __global float *inner, __global float *to,
    uint count, uint flags)
{
  if (flags & FLAG_BIAS)
    EACH_VECTOR y[j] += VLOAD (bias + j * RVM_VECTOR);
  if (flags & FLAG_GELU_SLOPE)
    EACH_VECTOR y[j] *= rvm_gelu_slope (load_upto (inner + j * RVM_VECTOR, count - j * RVM_VECTOR));
  if (flags & FLAG_INNER)
    EACH_VECTOR store_upto (y[j], inner + j * RVM_VECTOR, count - j * RVM_VECTOR);
  if (flags & FLAG_GELU)
    EACH_VECTOR y[j] = rvm_gelu (y[j]);
  if (flags & FLAG_RESIDUAL)
    EACH_VECTOR y[j] += load_upto (residual + j * RVM_VECTOR, count - j * RVM_VECTOR);
  EACH_VECTOR store_upto (y[j], to + j * RVM_VECTOR, count - j * RVM_VECTOR);
}

/* Sums over a row by a work-group of RVM_GROUP work-items: 1 on CPUs, a power of two on GPUs. Deterministic: the order of
 * additions depends on the row's length and the build only. */

#ifndef RVM_GROUP
#define RVM_GROUP 1 /* work-items that share a row */
#endif

#define ROW_KERNEL __kernel __attribute__ ((reqd_work_group_size (RVM_GROUP, 1, 1))) void

/* Runs BODY (vector form) and TAIL (scalar form) over [0, dim) split among the group, with `i` the index of the element. */
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

/* One row of layernorm.cl by a work-group; @scratch is only used by groups of several work-items. */
void
layernorm_row (__global const float *from, __global const float *restrict scale, __global const float *restrict bias, uint has_bias,
    __global float *to, uint dim, float epsilon, __local float *scratch)
{
  vec sums = (vec) 0.0f;
  float sum = 0.0f;

  FOR_ROW (dim, sums += VLOAD (from + i), sum += from[i]);
  const float mean = GROUP_SUM (sum + VSUM (sums)) / dim;

  sums = (vec) 0.0f;
  sum = 0.0f;
  FOR_ROW (dim, const vec d = VLOAD (from + i) - mean; sums = fma (d, d, sums), const float d = from[i] - mean; sum += d * d);
  const float factor = rsqrt (GROUP_SUM (sum + VSUM (sums)) / dim + epsilon);

  if (has_bias)
    FOR_ROW (dim, VSTORE (fma ((VLOAD (from + i) - mean) * factor, VLOAD (scale + i), VLOAD (bias + i)), to + i),
        to[i] = (from[i] - mean) * factor * scale[i] + bias[i]);
  else
    FOR_ROW (dim, VSTORE ((VLOAD (from + i) - mean) * factor * VLOAD (scale + i), to + i),
        to[i] = (from[i] - mean) * factor * scale[i]);
}
