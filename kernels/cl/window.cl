/* What a readout does with a window of states, beyond linear layers and attention.
 *
 *   x      (frames, tokens, dim)   one frame after the other
 *   code   (ages, dim)             the temporal code: age 0 is the newest state
 *   age    (frames)                the age of each frame
 *
 * add_frame_code: x[f, t] += code[age[f]] for every token t. One work-item for each vector of a row: global size (ceil (dim / RVM_VECTOR),
 * frames * tokens). */
__kernel void
add_frame_code (__global float *restrict x, __global const float *restrict code, __global const uint *restrict age, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);

  store_upto (load_upto (x + row * dim + c, dim - c) + load_upto (code + (size_t) age[row / tokens] * dim + c, dim - c), x + row * dim + c, dim - c);
}

/* For the backward pass of add_frame_code: out (frames, dim) = sum of x over the tokens of each frame. Global size (ceil (dim / RVM_VECTOR),
 * frames). */
__kernel void
sum_frames (__global const float *restrict x, __global float *restrict out, uint tokens, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t frame = get_global_id (1);
  vec sum = (vec) 0.0f;

  for (size_t row = frame * tokens; row < (frame + 1) * tokens; row++)
    sum += load_upto (x + row * dim + c, dim - c);
  store_upto (sum, out + frame * dim + c, dim - c);
}

/* out (dim) = mean of x (rows, dim) over its rows. Global size (ceil (dim / RVM_VECTOR), 1). */
__kernel void
mean_rows (__global const float *restrict x, __global float *restrict out, uint rows, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  vec sum = (vec) 0.0f;

  for (size_t row = 0; row < rows; row++)
    sum += load_upto (x + row * dim + c, dim - c);
  store_upto (sum / (float) rows, out + c, dim - c);
}

/* out[r] = x[r] - reference[r mod rows of reference]: states less a state. Global size (ceil (dim / RVM_VECTOR), rows of x). */
__kernel void
subtract_rows (__global const float *restrict x, __global const float *restrict reference, __global float *restrict out, uint rows, uint dim)
{
  const uint c = get_global_id (0) * RVM_VECTOR;
  const size_t row = get_global_id (1);

  store_upto (load_upto (x + row * dim + c, dim - c) - load_upto (reference + row % rows * dim + c, dim - c), out + row * dim + c, dim - c);
}

/* Joins the attention over each state of a window to that over all of them.
 *
 *   attended     (slots, queries, heads * head_dim)   out of attention over one state
 *   log_sum_exp  (slots, heads, queries)              its log_sum_exp (attention.cl)
 *   slot         (n)                                  the slot of the state of each age, newest first
 *   score        (ages, heads, queries)               what the temporal code adds to the scores of a state, times log2 (e)
 *   value        (ages, heads * head_dim)             what it adds to the values of a state
 *   out          (queries, heads * head_dim)
 *
 *   out = sum over a of w[a] (attended[slot[a]] + value[a]),   w = softmax over a of (log_sum_exp[slot[a]] + score[a]), in powers of 2
 *
 * This is exact: within a state the code adds the same number to all scores of a query, which cancels in the softmax over its tokens. One work-item for
 * each head of a query: global size (heads, queries). n is at most RVM_WINDOW_STATES. */
__kernel void
join_window (__global const float *restrict attended, __global const float *restrict log_sum_exp, __global const uint *restrict slot,
    __global const float *restrict score, __global const float *restrict value, __global float *restrict out, uint n, uint head_dim)
{
  const size_t head = get_global_id (0), heads = get_global_size (0), query = get_global_id (1), queries = get_global_size (1);
  const size_t dim = heads * head_dim;
  float weight[RVM_WINDOW_STATES], top = -FLT_MAX, total = 0.0f;

  for (uint a = 0; a < n; a++) {
    weight[a] = log_sum_exp[(slot[a] * heads + head) * queries + query] + score[(a * heads + head) * queries + query];
    top = max (top, weight[a]);
  }
  for (uint a = 0; a < n; a++)
    total += weight[a] = exp2 (weight[a] - top);
  for (uint d = 0; d < head_dim; d += RVM_VECTOR) {
    const size_t column = head * head_dim + d;
    vec sum = (vec) 0.0f;

    for (uint a = 0; a < n; a++)
      sum += weight[a]
          * (load_upto (attended + (slot[a] * queries + query) * dim + column, head_dim - d) + load_upto (value + a * dim + column, head_dim - d));
    store_upto (sum / total, out + query * dim + column, head_dim - d);
  }
}
