/* Pictures to rows of a matrix, which the patch embedding multiplies by its kernel.
 *
 *       columns * patch pixels                       patch * patch * 3
 *      +-----+-----+-----+                        +---------------------+
 *      |  0  |  1  |  2  |               token 0  |        zeros        |  the class token
 *      +-----+-----+-----+    ------>          1  |   pixels / 255 of   |  patch 0
 *      |  3  |  4  |  5  |                     2  |  a patch, in order  |  patch 1
 *      +-----+-----+-----+                        |         ...         |
 *       rows * patch pixels                       +---------------------+
 *
 *   pixels   uint8 (batch, rows * patch, columns * patch, 3)
 *   out      float (batch, tokens, patch * patch * 3), in the order (row, column, channel) of a patch
 *
 * One work-item copies one row of pixels of one patch: global size (rows of out, patch). */

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

/* All tokens: out (batch, 1 + rows * columns, patch * patch * 3). */
__kernel void
patches (__global const uchar *restrict pixels, __global float *restrict out, uint rows, uint columns, uint patch)
{
  const uint tokens = 1 + rows * columns;

  copy_patch_row (pixels, out, get_global_id (0) / tokens, get_global_id (0) % tokens, rows, columns, patch);
}

/* Only the tokens that visible (batch, kept) lists, 0 for the class token, 1 + p for patch p: out (batch, kept, patch * patch * 3). */
__kernel void
visible_patches (__global const uchar *restrict pixels, __global const uint *restrict visible, __global float *restrict out, uint kept,
    uint rows, uint columns, uint patch)
{
  copy_patch_row (pixels, out, get_global_id (0) / kept, visible[get_global_id (0)], rows, columns, patch);
}
