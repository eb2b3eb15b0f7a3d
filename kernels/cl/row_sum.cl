/* Sums over some rows of each picture, added to `out` if `accumulate`:
 *
 *                  dim
 *              +---------+
 *              |         |
 *   picture 0  |#########|  `rows` rows  --+
 *              |         |                 |        dim
 *              +---------+                 +--> +---------+
 *              |         |                 |    |   out   |
 *   picture 1  |#########|               --+    +---------+
 *              |         |
 *              +---------+  picture_rows rows each
 *
 * x: (pictures * picture_rows, dim), with offset and stride; x_offset is that of the first row that counts. The order of additions is fixed.
 * One work-item for each vector of columns: global size (ceil (dim / RVM_VECTOR)). */
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
