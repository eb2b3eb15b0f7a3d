/* What the native GEMM does in its store, for a provider that cannot: out = act (out + bias) + residual.
 *
 * out: (m, n) with a stride; bias: (n), padded to a whole vector; residual: (residual_rows, n). One work-item per vector
 * of columns and row: global size (ceil (n / RVM_VECTOR), m). */

#define FLAG_BIAS 1u
#define FLAG_GELU 2u
#define FLAG_RESIDUAL 4u

__kernel void
epilogue (__global const float *restrict bias, __global const float *restrict residual, uint residual_rows,
    __global float *restrict out, uint out_offset, uint out_stride, uint n, uint flags)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const uint row = get_global_id (1);
  __global float *to = out + out_offset + (size_t) row * out_stride + c;
  __global const float *from = residual + (size_t) (row % residual_rows) * n + c;
  const uint lanes = min (n - c, (uint) RVM_VECTOR);
  float tail[RVM_VECTOR];
  vec y;

  if (lanes == RVM_VECTOR) {
    y = VLOAD (to);
  } else {
    for (uint l = 0; l < RVM_VECTOR; l++)
      tail[l] = l < lanes ? to[l] : 0.0f;
    y = VLOAD (tail);
  }
  if (flags & FLAG_BIAS)
    y += VLOAD (bias + c);
  if (flags & FLAG_GELU)
    y = rvm_gelu (y);
  if (lanes == RVM_VECTOR) {
    if (flags & FLAG_RESIDUAL)
      y += VLOAD (from);
    VSTORE (y, to);
  } else {
    VSTORE (y, tail);
    for (uint l = 0; l < lanes; l++)
      to[l] = tail[l] + (flags & FLAG_RESIDUAL ? from[l] : 0.0f);
  }
}
