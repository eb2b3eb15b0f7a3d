/* What the native GEMM does in its store, for a provider that cannot: rvm_epilogue() (common.cl) in place.
 *
 * out: (m, n) with a stride; bias: (n), padded to a whole vector; residual: (residual_rows, n); inner: (m, n). One work-item per vector
 * of columns and row: global size (ceil (n / RVM_VECTOR), m). */

__kernel void
epilogue (__global const float *restrict bias, __global const float *restrict residual, uint residual_rows,
    __global float *restrict inner, __global float *restrict out, uint out_offset, uint out_stride, uint n, uint flags)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const uint row = get_global_id (1);
  __global float *to = out + out_offset + (size_t) row * out_stride + c;
  vec y = load_upto (to, n - c);

  rvm_epilogue (&y, 1, bias + c, residual + (size_t) (row % residual_rows) * n + c, inner + (size_t) row * n + c, to, n - c, flags);
}
