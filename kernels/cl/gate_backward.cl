/* Backward pass of gate.cl. A d before a name means the gradient with respect to it.
 *
 *                       dim        dim
 *                   +----------+----------+
 *   gates     rows  |    u     |    r     |    the sigmoids, as gate_context left them
 *   dgates          |    du    |    dr    |    with respect to the arguments of the sigmoids
 *                   +----------+----------+
 *
 * All other matrices are (rows, dim). */

/* From dnext, which is the gradient with respect to the new state:
 *
 *   dcandidate = u dnext
 *   dstate     = (1 - u) dnext                         may be dnext itself
 *   du         = (candidate - state) dnext u (1 - u)
 *
 * One work-group a row: global size (rows * RVM_GROUP), local size (RVM_GROUP). */
ROW_KERNEL
state_update_backward (__global const float *restrict gates, __global const float *restrict state,
    __global const float *restrict candidate, __global const float *dnext, __global float *restrict dcandidate, __global float *dstate,
    __global float *restrict dgates, uint dim)
{
  const size_t row = get_group_id (0);
  __global const float *restrict update = gates + row * 2 * dim;
  __global const float *restrict s = state + row * dim;
  __global const float *restrict h = candidate + row * dim;
  __global const float *d = dnext + row * dim;
  __global float *restrict dh = dcandidate + row * dim;
  __global float *ds = dstate + row * dim;
  __global float *restrict du = dgates + row * 2 * dim;

  FOR_ROW (dim, const vec u = VLOAD (update + i); const vec g = VLOAD (d + i);
      VSTORE ((VLOAD (h + i) - VLOAD (s + i)) * g * u * (1.0f - u), du + i); VSTORE (u * g, dh + i); VSTORE ((1.0f - u) * g, ds + i),
      const float u = update[i]; const float g = d[i]; du[i] = (h[i] - s[i]) * g * u * (1.0f - u); dh[i] = u * g; ds[i] = (1.0f - u) * g);
}

/* From dcontext, with n = (state - mean) / deviation:
 *
 *   dr      = dcontext n scale r (1 - r)
 *   dstate += backward pass of the layer norm, of dcontext r
 *   partial   (blocks, dim): the gradient of scale, summed over the rows of each block
 *
 * One work-group for each RVM_NORM_BLOCK rows: global size (blocks * RVM_GROUP), local size (RVM_GROUP). */
ROW_KERNEL
gate_context_backward (__global const float *restrict gates, __global const float *restrict state, __global const float *restrict scale,
    __global const float *restrict dcontext, __global float *restrict dgates, __global float *restrict dstate,
    __global float *restrict partial, uint rows, uint dim, float epsilon)
{
  GROUP_SCRATCH;
  const uint first = get_group_id (0) * RVM_NORM_BLOCK, last = min (first + RVM_NORM_BLOCK, rows);
  __global float *restrict dscale = partial + get_group_id (0) * (size_t) dim;

  FOR_ROW (dim, VSTORE ((vec) 0.0f, dscale + i), dscale[i] = 0.0f);
  for (size_t row = first; row < last; row++) {
    __global const float *restrict reset = gates + row * 2 * dim + dim;
    __global const float *restrict from = state + row * dim;
    __global const float *restrict dc = dcontext + row * dim;
    __global float *restrict dr = dgates + row * 2 * dim + dim;
    __global float *restrict ds = dstate + row * dim;
    const float2 moments = row_moments (from, dim, epsilon, scratch);
    const float mean = moments.x, factor = moments.y;
    vec sums = (vec) 0.0f, others = (vec) 0.0f;
    float sum = 0.0f, other = 0.0f;

    FOR_ROW (dim, const vec r = VLOAD (reset + i); const vec n = (VLOAD (from + i) - mean) * factor; const vec g = VLOAD (dc + i);
        const vec e = g * r * VLOAD (scale + i); sums += e; others = fma (e, n, others);
        VSTORE (fma (g * r, n, VLOAD (dscale + i)), dscale + i); VSTORE (e * n * (1.0f - r), dr + i),
        const float r = reset[i]; const float n = (from[i] - mean) * factor; const float g = dc[i]; const float e = g * r * scale[i];
        sum += e; other += e * n; dscale[i] += g * r * n; dr[i] = e * n * (1.0f - r));
    const float mean_e = GROUP_SUM (sum + VSUM (sums)) / dim;
    const float mean_en = GROUP_SUM (other + VSUM (others)) / dim;

    FOR_ROW (dim, const vec n = (VLOAD (from + i) - mean) * factor; const vec e = VLOAD (dc + i) * VLOAD (reset + i) * VLOAD (scale + i);
        VSTORE (VLOAD (ds + i) + (e - mean_e - n * mean_en) * factor, ds + i), const float n = (from[i] - mean) * factor;
        const float e = dc[i] * reset[i] * scale[i]; ds[i] += (e - mean_e - n * mean_en) * factor);
  }
}
