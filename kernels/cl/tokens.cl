/* Rows of tokens: what is added to the patch embedding, the decoder's input and its backward pass, frames of a clip.
 *
 *                  dim
 *              +---------+
 *     token 0  |         |  the class token
 *           1  |         |  patch 0
 *           2  |         |  patch 1
 *              |   ...   |
 *              +---------+  one picture; the next one follows. tokens = 1 + patches
 *
 * Of a masked picture only `kept` tokens are visible, and lie in a matrix (pictures * kept, dim) of their own. slot (pictures, tokens) is the place
 * of each token among the visible ones of its picture, or RVM_SLOT_HIDDEN if it is masked.
 *
 * Unless stated otherwise, one work-item computes a vector of a row of out: global size (ceil (dim / RVM_VECTOR), rows of out). */

/* What is added to the product of patches and kernel:
 *
 *   out (1 + patches, dim):  row 0 = class_token,  row 1 + p = position[p] + bias
 *
 * position: (patches, dim). */
__kernel void
token_table (__global const float *restrict class_token, __global const float *restrict bias, __global const float *restrict position,
    __global float *restrict out, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);
  const vec x = row == 0 ? load_upto (class_token + c, dim - c)
                         : load_upto (position + (row - 1) * dim + c, dim - c) + load_upto (bias + c, dim - c);

  store_upto (x, out + row * dim + c, dim - c);
}

/* out[i] = x[index[i]]. Every index must be a row of x. */
__kernel void
gather_rows (__global const float *restrict x, __global const uint *restrict index, __global float *restrict out, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);

  store_upto (load_upto (x + index[row] * (size_t) dim + c, dim - c), out + row * dim + c, dim - c);
}

/* The decoder's input. A token is its embedding if it is visible, otherwise mask_token; patches also get their positional encoding and the embedding
 * of their picture's gap:
 *
 *   out (pictures, tokens, dim) = (embedded[slot] or mask_token) + position[patch] + gap_kernel[gap] + gap_bias
 *
 * embedded: (pictures, kept, dim). mask_token, gap_bias: (dim). position: (patches, dim). gap_kernel: (gaps, dim). gap: (pictures). */
__kernel void
decoder_tokens (__global const float *restrict embedded, __global const uint *restrict slot, __global const float *restrict mask_token,
    __global const float *restrict position, __global const float *restrict gap_kernel, __global const float *restrict gap_bias,
    __global const uint *restrict gap, __global float *restrict out, uint kept, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);
  const uint picture = row / tokens, token = row % tokens;
  vec x = slot[row] == RVM_SLOT_HIDDEN ? load_upto (mask_token + c, dim - c)
                              : load_upto (embedded + ((size_t) picture * kept + slot[row]) * dim + c, dim - c);

  if (token > 0) {
    x += load_upto (position + (size_t) (token - 1) * dim + c, dim - c);
    x += load_upto (gap_kernel + gap[picture] * (size_t) dim + c, dim - c) + load_upto (gap_bias + c, dim - c);
  }
  store_upto (x, out + row * dim + c, dim - c);
}

/* x (pictures, tokens, dim) += position (patches, dim), for the patches of each picture. One work-item for each vector of a row of x. */
__kernel void
add_position (__global float *restrict x, __global const float *restrict position, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);
  const uint token = row % tokens;

  if (token > 0)
    store_upto (load_upto (x + row * dim + c, dim - c) + load_upto (position + (size_t) (token - 1) * dim + c, dim - c),
        x + row * dim + c, dim - c);
}

/* For the backward pass of decoder_tokens, sums of d (pictures, tokens, dim) over tokens:
 *
 *   out (2, pictures, dim):  over the patches of each picture, then over its masked patches
 *
 * Global size (ceil (dim / RVM_VECTOR), pictures). */
__kernel void
decoder_token_sums (__global const float *restrict d, __global const uint *restrict slot, __global float *restrict out, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t picture = get_global_id (1), pictures = get_global_size (1);
  vec all = (vec) 0.0f, hidden = (vec) 0.0f;

  for (size_t row = picture * tokens + 1; row < (picture + 1) * tokens; row++) {
    const vec x = load_upto (d + row * dim + c, dim - c);
    all += x;
    if (slot[row] == RVM_SLOT_HIDDEN)
      hidden += x;
  }
  store_upto (all, out + picture * dim + c, dim - c);
  store_upto (hidden, out + (pictures + picture) * dim + c, dim - c);
}

/* out[g] = sum of x (pictures, dim) over the pictures whose gap is g, added to what is there if accumulate; out: (gaps, dim). Global size
 * (ceil (dim / RVM_VECTOR), gaps). */
__kernel void
sum_by_gap (__global const float *restrict x, __global const uint *restrict gap, __global float *restrict out, uint pictures, uint dim,
    uint accumulate)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);
  vec sum = accumulate ? load_upto (out + row * dim + c, dim - c) : (vec) 0.0f;

  for (uint b = 0; b < pictures; b++)
    if (gap[b] == row)
      sum += load_upto (x + (size_t) b * dim + c, dim - c);
  store_upto (sum, out + row * dim + c, dim - c);
}

/* Copies between one frame of each sample and the same frame among all n frames:
 *
 *   frames (samples, n, rows, dim)      put_frame: frames[:, frame] = one
 *   one    (samples, rows, dim)         get_frame: one = frames[:, frame], + added if add; added may be one
 *
 * One work-item for each vector of a row of one: global size (ceil (dim / RVM_VECTOR), samples * rows). */
__kernel void
put_frame (__global const float *restrict one, __global float *restrict frames, uint n, uint frame, uint rows, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1), there = (row / rows * n + frame) * rows + row % rows;

  store_upto (load_upto (one + row * dim + c, dim - c), frames + there * dim + c, dim - c);
}

__kernel void
get_frame (__global const float *restrict frames, __global const float *added, __global float *one, uint n, uint frame, uint rows,
    uint dim, uint add)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1), there = (row / rows * n + frame) * rows + row % rows;
  vec x = load_upto (frames + there * dim + c, dim - c);

  if (add)
    x += load_upto (added + row * dim + c, dim - c);
  store_upto (x, one + row * dim + c, dim - c);
}
