/* out = (x - mean) / sqrt (variance + epsilon) * scale + bias over rows of (rows, dim); bias only if has_bias; out may be x.
 *
 * One work-group a row. Mean first, then the variance of the differences: two passes over a row that is in cache cost less than
 * the cancellation of the one-pass form. */

ROW_KERNEL
layernorm (__global const float *x, __global const float *restrict scale, __global const float *restrict bias, uint has_bias,
    __global float *out, uint dim, float epsilon)
{
  GROUP_SCRATCH;
  __global const float *from = x + get_group_id (0) * (size_t) dim;
  __global float *to = out + get_group_id (0) * (size_t) dim;
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
