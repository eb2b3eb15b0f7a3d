/* Pixels to matrix rows: pixels uint8 (batch, rows * patch, columns * patch, 3) to rows of patch * patch * 3 floats = pixels / 255 in
 * (row, column, channel) order. Token 0 of a picture is the class token, whose row is zero; token 1 + p is patch p.
 *
 * One work-item copies one pixel row of one patch. Global size (rows of out, patch). */

void
copy_patch_row (__global const uchar *restrict pixels, __global float *restrict out, uint picture, uint token, uint rows, uint columns,
    uint patch)
{
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

/* Every token: out (batch, 1 + rows * columns, patch * patch * 3). */
__kernel void
patches (__global const uchar *restrict pixels, __global float *restrict out, uint rows, uint columns, uint patch)
{
  const uint tokens = 1 + rows * columns;

  copy_patch_row (pixels, out, get_global_id (0) / tokens, get_global_id (0) % tokens, rows, columns, patch);
}

/* Those named by visible (batch, kept): out (batch, kept, patch * patch * 3). */
__kernel void
visible_patches (__global const uchar *restrict pixels, __global const uint *restrict visible, __global float *restrict out, uint kept,
    uint rows, uint columns, uint patch)
{
  copy_patch_row (pixels, out, get_global_id (0) / kept, visible[get_global_id (0)], rows, columns, patch);
}
