/* The way back through layernorm.cl, and sums over rows.
 *
 * With x^ = (x - mean) / deviation and e = d * scale:  dx = (e - mean (e) - x^ mean (e x^)) / deviation, dscale = sum of d x^ over the
 * rows, dbias = sum of d. Mean and deviation are computed again from x: reading them back would cost as much. */

/* One work-group per block of RVM_BLOCK rows. dx = dx + the above if accumulate. partial: (blocks, 2, dim), this block's dscale and dbias. */

#ifndef RVM_BLOCK
#define RVM_BLOCK 32 /* rows of a work-group */
#endif

ROW_KERNEL
layernorm_backward (__global const float *restrict x, __global const float *restrict d, __global const float *restrict scale,
    __global float *restrict dx, __global float *restrict partial, uint rows, uint dim, float epsilon, uint accumulate)
{
  GROUP_SCRATCH;
  const uint first = get_group_id (0) * RVM_BLOCK, last = min (first + RVM_BLOCK, rows);
  __global float *restrict dscale = partial + get_group_id (0) * (size_t) 2 * dim;
  __global float *restrict dbias = dscale + dim;

  FOR_ROW (dim, VSTORE ((vec) 0.0f, dscale + i); VSTORE ((vec) 0.0f, dbias + i), dscale[i] = 0.0f; dbias[i] = 0.0f);
  for (uint row = first; row < last; row++) {
    __global const float *restrict from = x + row * (size_t) dim;
    __global const float *restrict slope = d + row * (size_t) dim;
    __global float *restrict to = dx + row * (size_t) dim;
    vec sums = (vec) 0.0f, others = (vec) 0.0f;
    float sum = 0.0f, other = 0.0f;

    FOR_ROW (dim, sums += VLOAD (from + i), sum += from[i]);
    const float mean = GROUP_SUM (sum + VSUM (sums)) / dim;
    sums = (vec) 0.0f;
    sum = 0.0f;
    FOR_ROW (dim, const vec c = VLOAD (from + i) - mean; sums = fma (c, c, sums), const float c = from[i] - mean; sum += c * c);
    const float factor = rsqrt (GROUP_SUM (sum + VSUM (sums)) / dim + epsilon);

    sums = (vec) 0.0f;
    sum = 0.0f;
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

/* out[j] = or += sum over pictures b and rows r of x[x_offset + (b * picture_rows + r) * x_stride + j]. One
 * work-item a vector of columns: global size (ceil (dim / RVM_VECTOR)). The order of the sum is fixed. */
__kernel void
sum_rows (__global const float *restrict x, uint x_offset, uint x_stride, uint pictures, uint picture_rows, uint rows,
    __global float *restrict out, uint dim, uint accumulate)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  vec sum = (vec) 0.0f;

  for (uint b = 0; b < pictures; b++) {
    __global const float *restrict from = x + x_offset + (size_t) b * picture_rows * x_stride + c;
    vec part = (vec) 0.0f;

    for (uint r = 0; r < rows; r++, from += x_stride)
      part += load_upto (from, dim - c);
    sum += part;
  }
  if (accumulate)
    sum += load_upto (out + c, dim - c);
  store_upto (sum, out + c, dim - c);
}
