/* Pixels to matrix rows: pixels uint8 (batch, rows * patch, columns * patch, 3) to out float32
 * (batch, 1 + rows * columns, patch * patch * 3) = pixels / 255, row 0 of each picture zero.
 *
 * One work-item copies one pixel row of one patch. Global size (batch * (1 + rows * columns), patch). */

__kernel void
patches (__global const uchar *restrict pixels, __global float *restrict out, uint rows, uint columns, uint patch)
{
  const uint tokens = 1 + rows * columns;
  const uint picture = get_global_id (0) / tokens;
  const uint token = get_global_id (0) % tokens;
  const uint y = get_global_id (1);
  const uint line = patch * 3;
  __global float *restrict to = out + (get_global_id (0) * (size_t) patch + y) * line;

  if (token == 0) {
    for (uint i = 0; i < line; i++)
      to[i] = 0.0f;
    return;
  }

  const uint row = (token - 1) / columns, column = (token - 1) % columns;
  __global const uchar *restrict from = pixels + (((size_t) picture * rows + row) * patch + y) * columns * line + column * line;
  for (uint i = 0; i < line; i++)
    to[i] = convert_float (from[i]) * (1.0f / 255.0f);
}
