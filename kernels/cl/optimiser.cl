/* AdamW (Loshchilov and Hutter 2019), and the sums of squares that gradient clipping needs. All arrays are flat: (count). */

/* With g = gradient clip, and corrections 1 / (1 - b^t) in step t:
 *
 *   m  = b1 m + (1 - b1) g
 *   v  = b2 v + (1 - b2) g^2
 *   x -= rate (m correction1 / (sqrt (v correction2) + epsilon) + decay x)
 *
 * One work-item for each vector: global size (ceil (count / RVM_VECTOR)). */
__kernel void
adamw (__global float *restrict x, __global const float *restrict gradient, __global float *restrict m, __global float *restrict v,
    uint count, float clip, float rate, float b1, float b2, float correction1, float correction2, float epsilon, float decay)
{
  const size_t i = get_global_id (0) * (size_t) RVM_VECTOR;
  const uint left = count - i;
  const vec g = load_upto (gradient + i, left) * clip;
  const vec first = fma ((vec) b1, load_upto (m + i, left), (1.0f - b1) * g);
  const vec second = fma ((vec) b2, load_upto (v + i, left), (1.0f - b2) * g * g);
  const vec old = load_upto (x + i, left);

  store_upto (first, m + i, left);
  store_upto (second, v + i, left);
  store_upto (old - rate * (first * correction1 / (sqrt (second * correction2) + epsilon) + decay * old), x + i, left);
}

/* out[offset + block] = sum of the squares of a block:
 *
 *   x    |      block 0      |      block 1      | ... |     RVM_SQUARES_BLOCK elements each; the last may have fewer
 *   out  | sum 0 | sum 1 | ... |                             from element `offset` on
 *
 * One work-group for each block: global size (blocks * RVM_GROUP), local size (RVM_GROUP). */
ROW_KERNEL
square_sums (__global const float *restrict x, uint count, __global float *restrict out, uint offset)
{
  GROUP_SCRATCH;
  const size_t first = get_group_id (0) * (size_t) RVM_SQUARES_BLOCK;
  const uint size = min (count - (uint) first, (uint) RVM_SQUARES_BLOCK);
  __global const float *restrict from = x + first;
  vec sums = (vec) 0.0f;
  float sum = 0.0f;

  FOR_ROW (size, const vec y = VLOAD (from + i); sums = fma (y, y, sums), sum += from[i] * from[i]);
  sum = GROUP_SUM (sum + VSUM (sums));
  if (get_local_id (0) == 0)
    out[offset + get_group_id (0)] = sum;
}
