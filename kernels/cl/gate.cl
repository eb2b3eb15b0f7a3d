/* The gated part of the recurrent core (model.md 3), rows of `dim` floats, one work-group a row.
 *
 * gates: (rows, 2 dim), update gate then reset gate. */

float
sigmoid1 (float x)
{
  return 1.0f / (1.0f + exp (-x));
}

/* gates become their sigmoids; context = reset * LN (state) (scale, no bias); update_mean[row] = mean of the update gate. */
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
  vec sums = (vec) 0.0f;
  float sum = 0.0f;

  FOR_ROW (dim, sums += VLOAD (from + i), sum += from[i]);
  const float mean = GROUP_SUM (sum + VSUM (sums)) / dim;

  sums = (vec) 0.0f;
  sum = 0.0f;
  FOR_ROW (dim, const vec d = VLOAD (from + i) - mean; sums = fma (d, d, sums), const float d = from[i] - mean; sum += d * d);
  const float factor = rsqrt (GROUP_SUM (sum + VSUM (sums)) / dim + epsilon);

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

/* out = (1 - update) * state + update * candidate; out may be state. */
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
