/* Losses of readouts, and their gradients. One work-item for each row, with RVM_VECTOR 1.
 *
 *   x, target, dx     (rows, columns)
 *   weight, row_loss  (rows)            a row of weight 0 does not count
 *
 * cross_entropy: x are logits, and each row of target sums to 1.
 *
 *   row_loss = -weight * sum of target log softmax (x),   dx = weight (softmax (x) - target) */
__kernel void
cross_entropy (__global const float *restrict x, __global const float *restrict target, __global const float *restrict weight,
    __global float *restrict dx, __global float *restrict row_loss, uint columns)
{
  const size_t row = get_global_id (0);
  const float w = weight[row];
  float top = -FLT_MAX, total = 0.0f, loss = 0.0f;

  x += row * columns;
  target += row * columns;
  dx += row * columns;
  for (uint i = 0; i < columns; i++)
    top = max (top, x[i]);
  for (uint i = 0; i < columns; i++)
    total += rvm_exp (x[i] - top);
  for (uint i = 0; i < columns; i++) {
    dx[i] = w * (rvm_exp (x[i] - top) / total - target[i]);
    loss -= target[i] * (x[i] - top);
  }
  row_loss[row] = w * (loss + log (total));
}

/* row_loss = weight * sum of |x - target|,   dx = weight sign (x - target); a target of RVM_TARGET_UNKNOWN does not count. */
__kernel void
absolute_error (__global const float *restrict x, __global const float *restrict target, __global const float *restrict weight,
    __global float *restrict dx, __global float *restrict row_loss, uint columns)
{
  const size_t row = get_global_id (0);
  const float w = weight[row];
  float loss = 0.0f;

  for (size_t i = row * columns; i < (row + 1) * columns; i++) {
    const int known = target[i] > 0.5f * RVM_TARGET_UNKNOWN;
    const float difference = known ? x[i] - target[i] : 0.0f;

    dx[i] = w * sign (difference);
    loss += fabs (difference);
  }
  row_loss[row] = w * loss;
}
