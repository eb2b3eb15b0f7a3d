/* The epilogue of linear layers (rvm_epilogue() in common.cl) as a kernel of its own, in place, for providers of products that cannot apply it.
 *
 *             n
 *         +-------+
 *      m  |   -   |  out, with offset and stride; one work-item for each vector of each row
 *         +-------+
 *
 *   bias       (n), readable to the end of the last vector
 *   residual   (residual_rows, n): row i mod residual_rows is added to row i
 *   pre_gelu   (m, n)
 *
 * Global size (ceil (n / RVM_VECTOR), m). */

__kernel void
epilogue (__global const float *restrict bias, __global const float *restrict residual, uint residual_rows,
    __global float *restrict pre_gelu, __global float *restrict out, uint out_offset, uint out_stride, uint n, uint flags)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const uint row = get_global_id (1);
  __global float *to = out + out_offset + (size_t) row * out_stride + c;
  vec y = load_upto (to, n - c);

  rvm_epilogue (&y, 1, bias + c, residual + (size_t) (row % residual_rows) * n + c, pre_gelu + (size_t) row * n + c, to, n - c, flags);
}
