/* Backward pass of norm.cl. With n = (x - mean) / deviation, d the gradient with respect to the norm's output, and e = d scale:
 *
 *   dx     = (e - mean (e) - n mean (e n)) / deviation     added to dx if accumulate
 *   dscale = sum of d n over the rows
 *   dbias  = sum of d over the rows
 *
 * Mean and deviation are computed again from x, because reading them back would cost as much.
 *
 *            dim
 *         +--------+                                     dim
 *   rows  |########|  RVM_NORM_BLOCK rows             +--------+
 *         |########|  of a work-group      -------->  | dscale |  partial (blocks, 2, dim): the sums of each block
 *         +--------+                                  | dbias  |
 *         |        |                                  +--------+
 *
 * x, d and dx are (rows, dim). Global size (blocks * RVM_GROUP), local size (RVM_GROUP). */

ROW_KERNEL
layernorm_backward (__global const float *restrict x, __global const float *restrict d, __global const float *restrict scale,
    __global float *restrict dx, __global float *restrict partial, uint rows, uint dim, float epsilon, uint accumulate)
{
  GROUP_SCRATCH;
  const uint first = get_group_id (0) * RVM_NORM_BLOCK, last = min (first + RVM_NORM_BLOCK, rows);
  __global float *restrict dscale = partial + get_group_id (0) * (size_t) 2 * dim;
  __global float *restrict dbias = dscale + dim;

  FOR_ROW (dim, VSTORE ((vec) 0.0f, dscale + i); VSTORE ((vec) 0.0f, dbias + i), dscale[i] = 0.0f; dbias[i] = 0.0f);
  for (uint row = first; row < last; row++) {
    __global const float *restrict from = x + row * (size_t) dim;
    __global const float *restrict slope = d + row * (size_t) dim;
    __global float *restrict to = dx + row * (size_t) dim;
    const float2 moments = row_moments (from, dim, epsilon, scratch);
    const float mean = moments.x, factor = moments.y;
    vec sums = (vec) 0.0f, others = (vec) 0.0f;
    float sum = 0.0f, other = 0.0f;

    FOR_ROW (dim, const vec g = VLOAD (slope + i); const vec n = (VLOAD (from + i) - mean) * factor; const vec e = g * VLOAD (scale + i);
        sums += e; others = fma (e, n, others); VSTORE (fma (g, n, VLOAD (dscale + i)), dscale + i); VSTORE (VLOAD (dbias + i) + g, dbias + i),
        const float g = slope[i]; const float n = (from[i] - mean) * factor; const float e = g * scale[i];
        sum += e; other += e * n; dscale[i] += g * n; dbias[i] += g);
    const float mean_e = GROUP_SUM (sum + VSUM (sums)) / dim;
    const float mean_en = GROUP_SUM (other + VSUM (others)) / dim;

    FOR_ROW (dim, const vec n = (VLOAD (from + i) - mean) * factor;
        const vec y = (VLOAD (slope + i) * VLOAD (scale + i) - mean_e - n * mean_en) * factor;
        VSTORE (accumulate ? VLOAD (to + i) + y : y, to + i), const float n = (from[i] - mean) * factor;
        const float y = (slope[i] * scale[i] - mean_e - n * mean_en) * factor; to[i] = accumulate ? to[i] + y : y);
  }
}
