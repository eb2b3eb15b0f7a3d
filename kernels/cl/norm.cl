/* out = (x - mean) / sqrt (variance + epsilon) * scale + bias over rows of (rows, dim); bias only if has_bias; out may be x.
 *
 * One work-group a row. Mean first, then the variance of the differences: two passes over a row that is in cache cost less than
 * the cancellation of the one-pass form. */

ROW_KERNEL
layernorm (__global const float *x, __global const float *restrict scale, __global const float *restrict bias, uint has_bias,
    __global float *out, uint dim, float epsilon)
{
  GROUP_SCRATCH;
  const size_t row = get_group_id (0);

  layernorm_row (x + row * dim, scale, bias, has_bias, out + row * dim, dim, epsilon, scratch);
}
