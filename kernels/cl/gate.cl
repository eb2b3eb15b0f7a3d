/* The gates of the recurrent core, and the update of its state.
 *
 *   u, r    = sigmoid (gates)          update and reset gate
 *   context = r LN (state)             a layer norm with scale and without bias
 *   out     = (1 - u) state + u candidate
 *
 *                       dim        dim
 *                   +----------+----------+
 *   gates     rows  |    u     |    r     |    all others are (rows, dim), update_mean is (rows)
 *                   +----------+----------+
 *
 * One work-group a row: global size (rows * RVM_GROUP), local size (RVM_GROUP). */

float
sigmoid1 (float x)
{
  return 1.0f / (1.0f + exp (-x));
}

/* Replaces the gates by their sigmoids, and computes context and update_mean, the mean of u in each row. scale: (dim). */
ROW_KERNEL
gate_context (__global float *restrict gates, __global const float *restrict state, __global const float *restrict scale,
    __global float *restrict context, __global float *restrict update_mean, uint dim, float epsilon)
{
  GROUP_SCRATCH;
  const size_t row = get_group_id (0);
  __global float *restrict update = gates + row * 2 * dim;
  __global float *restrict reset = update + dim;
  __global const float *restrict from = state + row * dim;
  __global float *restrict to = context + row * dim;
  const float2 moments = row_moments (from, dim, epsilon, scratch);
  const float mean = moments.x, factor = moments.y;
  vec sums = (vec) 0.0f;
  float sum = 0.0f;

  FOR_ROW (dim, const vec r = rvm_sigmoid (VLOAD (reset + i)); VSTORE (r, reset + i);
      VSTORE (r * (VLOAD (from + i) - mean) * factor * VLOAD (scale + i), to + i), const float r = sigmoid1 (reset[i]);
      reset[i] = r; to[i] = r * (from[i] - mean) * factor * scale[i]);

  sums = (vec) 0.0f;
  sum = 0.0f;
  FOR_ROW (dim, const vec u = rvm_sigmoid (VLOAD (update + i)); VSTORE (u, update + i); sums += u,
      const float u = sigmoid1 (update[i]); update[i] = u; sum += u);
  sum = GROUP_SUM (sum + VSUM (sums));
  if (get_local_id (0) == 0)
    update_mean[row] = sum / dim;
}

/* out = (1 - u) state + u candidate. gates: as gate_context left them; out may be state. */
ROW_KERNEL
state_update (__global const float *restrict gates, __global const float *state, __global const float *restrict candidate,
    __global float *out, uint dim)
{
  const size_t row = get_group_id (0);
  __global const float *restrict update = gates + row * 2 * dim;
  __global const float *s = state + row * dim;
  __global const float *restrict h = candidate + row * dim;
  __global float *to = out + row * dim;

  FOR_ROW (dim, const vec u = VLOAD (update + i); VSTORE (fma (u, VLOAD (h + i), (1.0f - u) * VLOAD (s + i)), to + i),
      to[i] = update[i] * h[i] + (1.0f - update[i]) * s[i]);
}
