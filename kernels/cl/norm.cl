/* Layer norm over the rows of a matrix:  out = (x - mean) / sqrt (variance + epsilon) * scale + bias
 *
 *   x, out   (rows, dim)   out may be x
 *   scale    (dim)
 *   bias     (dim)         only read if has_bias
 *
 *            dim
 *         +--------+
 *   rows  |########|  <- one work-group a row, each with the mean and variance of its row
 *         +--------+
 *
 * Global size (rows * RVM_GROUP), local size (RVM_GROUP). */

ROW_KERNEL
layernorm (__global const float *x, __global const float *restrict scale, __global const float *restrict bias, uint has_bias,
    __global float *out, uint dim, float epsilon)
{
  GROUP_SCRATCH;
  const size_t row = get_group_id (0);

  layernorm_row (x + row * dim, scale, bias, has_bias, out + row * dim, dim, epsilon, scratch);
}
