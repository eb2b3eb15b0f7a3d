/* Rows of tokens moved about: the table added to the patch embedding, masked pictures in, the decoder's input and its way back.
 *
 * Token 0 of a picture is the class token, token 1 + p is patch p. @slot (pictures, 1 + patches) says where a token lies among the
 * visible ones, (pictures, kept); HIDDEN: it is masked. One work-item a vector of columns and row: global size (ceil (dim /
 * RVM_VECTOR), rows) unless said otherwise. */

#define HIDDEN 0xffffffffu

/* out[0] = class token; out[1 + p] = position[p] + bias. */
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

/* out[i] = x[index[i]] */
__kernel void
gather_rows (__global const float *restrict x, __global const uint *restrict index, __global float *restrict out, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);

  store_upto (load_upto (x + index[row] * (size_t) dim + c, dim - c), out + row * dim + c, dim - c);
}

/* Decoder input: a visible token's embedding or the mask token; patches also get their position and the embedding of the frame's gap.
 *
 * embedded: (pictures, kept, dim); position: (patches, dim); gap_kernel: (gaps, dim); gap: (pictures); out: (pictures, tokens, dim). */
__kernel void
decoder_tokens (__global const float *restrict embedded, __global const uint *restrict slot, __global const float *restrict mask_token,
    __global const float *restrict position, __global const float *restrict gap_kernel, __global const float *restrict gap_bias,
    __global const uint *restrict gap, __global float *restrict out, uint kept, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);
  const uint picture = row / tokens, token = row % tokens;
  vec x = slot[row] == HIDDEN ? load_upto (mask_token + c, dim - c)
                              : load_upto (embedded + ((size_t) picture * kept + slot[row]) * dim + c, dim - c);

  if (token > 0) {
    x += load_upto (position + (size_t) (token - 1) * dim + c, dim - c);
    x += load_upto (gap_kernel + gap[picture] * (size_t) dim + c, dim - c) + load_upto (gap_bias + c, dim - c);
  }
  store_upto (x, out + row * dim + c, dim - c);
}

/* x (pictures, tokens, dim) += position (tokens - 1, dim) for the patches of each picture. */
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

/* Per picture, the sums of d over its patches and over its masked patches: out (2, pictures, dim). Global size (ceil (dim / RVM_VECTOR),
 * pictures). */
__kernel void
decoder_token_sums (__global const float *restrict d, __global const uint *restrict slot, __global float *restrict out, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t picture = get_global_id (1), pictures = get_global_size (1);
  vec all = (vec) 0.0f, hidden = (vec) 0.0f;

  for (size_t row = picture * tokens + 1; row < (picture + 1) * tokens; row++) {
    const vec x = load_upto (d + row * dim + c, dim - c);
    all += x;
    if (slot[row] == HIDDEN)
      hidden += x;
  }
  store_upto (all, out + picture * dim + c, dim - c);
  store_upto (hidden, out + (pictures + picture) * dim + c, dim - c);
}

/* out[g] = or += sum of x over the pictures of gap g; x (pictures, dim). Global size (ceil (dim / RVM_VECTOR), gaps). */
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

/* frames (samples, n, rows, dim): its frame `frame` = or from one (samples, rows, dim). put_frame: frames = one. get_frame: one = frames, +
 * added if add. Global size (ceil (dim / RVM_VECTOR), samples * rows). */
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
