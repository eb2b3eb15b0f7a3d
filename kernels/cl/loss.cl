/* Squared error of reconstructed patches, and its gradient.
 *
 *                 patch * patch * 3
 *              +---------------------+
 *     token 0  |                     |  class token: row_loss 0, dpredicted 0
 *           1  |      predicted      |  patch: row_loss = sum of (predicted - truth)^2 over the row
 *           2  |                     |         dpredicted = scale (predicted - truth) if the patch counts, else 0
 *              +---------------------+
 *
 *   predicted, dpredicted   (pictures, tokens, patch * patch * 3), a patch's pixels in the order (row, column, channel)
 *   pixels                  uint8 (pictures, rows * patch, columns * patch, 3): truth is pixels / 255
 *   slot                    (pictures, tokens), see tokens.cl: only masked patches count, unless `all` is set
 *   row_loss                (pictures, tokens), whether the patch counts or not
 *
 * tokens = 1 + rows * columns. One work-item for each row: global size (pictures * tokens). */

__kernel void
reconstruction_loss (__global const float *restrict predicted, __global const uchar *restrict pixels, __global const uint *restrict slot,
    __global float *restrict dpredicted, __global float *restrict row_loss, uint rows, uint columns, uint patch, uint all, float scale)
{
  const size_t row = get_global_id (0);
  const uint tokens = 1 + rows * columns, line = patch * 3, length = patch * line;
  const uint picture = row / tokens, token = row % tokens;
  const float slope = token > 0 && (all || slot[row] == RVM_SLOT_HIDDEN) ? scale : 0.0f;
  __global const float *restrict y = predicted + row * length;
  __global float *restrict dy = dpredicted + row * length;
  float sum = 0.0f;

  if (token == 0) {
    for (uint i = 0; i < length; i++)
      dy[i] = 0.0f;
    row_loss[row] = 0.0f;
    return;
  }

  const uint patch_row = (token - 1) / columns, column = (token - 1) % columns;
  __global const uchar *restrict truth = pixels + (((size_t) picture * rows + patch_row) * patch * columns + column) * line;
  for (uint i = 0; i < patch; i++, truth += columns * line, y += line, dy += line) {
    float part = 0.0f;

    for (uint j = 0; j < line; j++) {
      const float difference = y[j] - convert_float (truth[j]) * (1.0f / 255.0f);
      part += difference * difference;
      dy[j] = slope * difference;
    }
    sum += part;
  }
  row_loss[row] = sum;
}
