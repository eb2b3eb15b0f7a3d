/* Two contrastive losses: each patch of one frame (the query) is to find, among all patches of another (the keys) and by the features alone, its own
 * place and its own object.
 *
 *   z      = (x - mean) / deviation     each channel over the patches of its frame, as features are compared when labels are propagated
 *   u      = z / |z|                    each patch
 *   l_ij   = u_query,i . u_key,j / temperature
 *   loss_i = log sum_j exp (l_ij) - l_i,match(i)                                              of places
 *   loss_i = log sum_{j: known} exp (l_ij) - log sum_{j: object(j) = object(i)} exp (l_ij)    of objects
 *
 *   x               (samples, 1 + patches, dim)    rows of tokens; the class token takes no part
 *   u, du           (samples, dim, patches)        transposed: neighbouring work-items are neighbouring patches
 *   moments         (samples, 2, dim)              mean | 1 / deviation
 *   lengths         (samples, patches)             1 / |z|
 *   by_key          (samples, patches, patches)    row: key, column: query. Products, then the gradient with respect to them
 *   by_query        (samples, patches, patches)    row: query, column: key. The same gradient
 *   match, row_loss (samples, patches)             of the queries; RVM_MATCH_NONE: the query has no place among the keys, and no loss
 *   object          (samples, 2, patches)          of the keys, then of the queries; RVM_MATCH_NONE: not known, as if the patch were not there
 *   object_loss     (samples, patches)             of the queries; -1: the object is not known, or has no patch among the keys
 *
 * All of u, du, moments, lengths, by_key and by_query lie in one buffer, scratch, at the offsets given. Samples are independent of each other.
 *
 * The first dimension of a global size is rounded up to whole work-groups: work-items from `width` on have nothing to do. */

/* Global size (dim, 1, samples). */
__kernel void
channel_moments (__global const float *restrict x, __global float *restrict scratch, uint moments, uint patches, float epsilon, uint width)
{
  const size_t channel = get_global_id (0), dim = width, sample = get_global_id (2);

  if (channel >= width)
    return;
  __global const float *restrict from = x + (sample * (patches + 1) + 1) * dim + channel;
  __global float *restrict to = scratch + moments + sample * 2 * dim + channel;
  float mean = 0.0f, variance = 0.0f;

  for (uint i = 0; i < patches; i++)
    mean += from[i * dim];
  mean /= patches;
  for (uint i = 0; i < patches; i++) {
    const float difference = from[i * dim] - mean;
    variance += difference * difference;
  }
  to[0] = mean;
  to[dim] = rsqrt (variance / patches + epsilon);
}

/* Global size (patches, 1, samples). */
__kernel void
unit_patches (__global const float *restrict x, __global float *scratch, uint moments, uint lengths, uint u, uint dim, uint width)
{
  const size_t patch = get_global_id (0), patches = width, sample = get_global_id (2);

  if (patch >= width)
    return;
  __global const float *restrict from = x + (sample * (patches + 1) + 1 + patch) * dim;
  __global const float *mean = scratch + moments + sample * 2 * dim, *inverse = mean + dim;
  __global float *to = scratch + u + sample * dim * patches + patch;
  float squares = 0.0f;

  for (uint c = 0; c < dim; c++) {
    const float z = (from[c] - mean[c]) * inverse[c];
    squares += z * z;
  }
  const float length = rsqrt (fmax (squares, FLT_MIN));
  scratch[lengths + sample * patches + patch] = length;
  for (uint c = 0; c < dim; c++)
    to[c * patches] = (from[c] - mean[c]) * inverse[c] * length;
}

/* out (m, x) = sum over k of a (k, m) b (k, x), in each sample. a is read at k * a_k + m * a_m; b and out are row-major. Global size (x, m / PRODUCT_ROWS
 * rounded up, samples). */
#define PRODUCT_ROWS 8

__kernel void
sample_products (__global float *scratch, uint a, uint a_k, uint a_m, uint b, uint out, uint k, uint m, uint width)
{
  const size_t x = get_global_id (0), sample = get_global_id (2);

  if (x >= width)
    return;
  const uint first = get_global_id (1) * PRODUCT_ROWS;
  __global const float *left = scratch + a + sample * k * m;
  __global const float *right = scratch + b + sample * k * width + x;
  __global float *to = scratch + out + sample * m * width + x;
  float sum[PRODUCT_ROWS];
  uint row[PRODUCT_ROWS];

  for (uint i = 0; i < PRODUCT_ROWS; i++) {
    sum[i] = 0.0f;
    row[i] = min (first + i, m - 1) * a_m;
  }
  for (uint j = 0; j < k; j++) {
    const float value = right[j * width];

    for (uint i = 0; i < PRODUCT_ROWS; i++)
      sum[i] = fma (left[j * a_k + row[i]], value, sum[i]);
  }
  for (uint i = 0; i < PRODUCT_ROWS && first + i < m; i++)
    to[(first + i) * width] = sum[i];
}

/* From products to losses and to the gradient with respect to the products. found: whether no other key is nearer. Global size (patches, 1, samples). */
__kernel void
match_loss (__global float *scratch, uint by_key, uint by_query, __global const uint *restrict match, __global float *restrict row_loss,
    __global uint *restrict found, float sharpness, float scale, uint width)
{
  const size_t query = get_global_id (0), patches = width, sample = get_global_id (2);

  if (query >= width)
    return;
  __global float *column = scratch + by_key + sample * patches * patches + query;
  __global float *row = scratch + by_query + (sample * patches + query) * patches;
  const uint key = match[sample * patches + query];
  float most = -INFINITY, sum = 0.0f;

  if (key == RVM_MATCH_NONE) {
    for (uint j = 0; j < patches; j++)
      row[j] = 0.0f;
    row_loss[sample * patches + query] = 0.0f;
    found[sample * patches + query] = 0;
    return;
  }
  for (uint j = 0; j < patches; j++)
    most = fmax (most, column[j * patches]);
  for (uint j = 0; j < patches; j++)
    sum += exp ((column[j * patches] - most) * sharpness);
  row_loss[sample * patches + query] = log (sum) + (most - column[key * patches]) * sharpness;
  found[sample * patches + query] = column[key * patches] >= most;

  const float each = scale * sharpness / sum;
  for (uint j = 0; j < patches; j++)
    row[j] = each * exp ((column[j * patches] - most) * sharpness) - (j == key ? scale * sharpness : 0.0f);
}

/* Adds the gradient of the losses of objects to that of the losses of places. Global size (patches, 1, samples). */
__kernel void
object_loss (__global float *scratch, uint by_key, uint by_query, __global const uint *restrict object, __global float *restrict losses,
    float sharpness, float scale, uint width)
{
  const size_t query = get_global_id (0), patches = width, sample = get_global_id (2);

  if (query >= width)
    return;
  __global const float *column = scratch + by_key + sample * patches * patches + query;
  __global float *row = scratch + by_query + (sample * patches + query) * patches;
  __global const uint *keys = object + sample * 2 * patches;
  const uint own = keys[patches + query];
  float most = -FLT_MAX, most_same = -FLT_MAX, sum = 0.0f, sum_same = 0.0f;
  bool found = false; /* compilers that assume finite numbers may not compare with infinity */

  for (uint j = 0; j < patches; j++)
    if (keys[j] != RVM_MATCH_NONE) {
      most = fmax (most, column[j * patches]);
      most_same = keys[j] == own ? fmax (most_same, column[j * patches]) : most_same;
      found |= keys[j] == own;
    }
  losses[sample * patches + query] = -1.0f;
  if (!found)
    return;
  for (uint j = 0; j < patches; j++)
    if (keys[j] != RVM_MATCH_NONE) {
      sum += exp ((column[j * patches] - most) * sharpness);
      sum_same += keys[j] == own ? exp ((column[j * patches] - most_same) * sharpness) : 0.0f;
    }
  losses[sample * patches + query] = fmax (log (sum) - log (sum_same) + (most - most_same) * sharpness, 0.0f); /* may round to less */
  for (uint j = 0; j < patches; j++)
    if (keys[j] != RVM_MATCH_NONE) {
      const float among_all = exp ((column[j * patches] - most) * sharpness) / sum;
      const float among_same = keys[j] == own ? exp ((column[j * patches] - most_same) * sharpness) / sum_same : 0.0f;

      row[j] += scale * sharpness * (among_all - among_same);
    }
}

/* The gradient by queries, transposed, replaces the products. Global size (patches, 1, samples). */
__kernel void
transpose_gradient (__global float *scratch, uint by_key, uint by_query, uint width)
{
  const size_t query = get_global_id (0), patches = width, sample = get_global_id (2);

  if (query >= width)
    return;
  __global float *column = scratch + by_key + sample * patches * patches + query;
  __global const float *row = scratch + by_query + (sample * patches + query) * patches;

  for (uint j = 0; j < patches; j++)
    column[j * patches] = row[j];
}

/* du becomes the gradient with respect to z. Global size (patches, 1, samples). */
__kernel void
unit_patches_backward (__global float *scratch, uint lengths, uint u, uint du, uint dim, uint width)
{
  const size_t patch = get_global_id (0), patches = width, sample = get_global_id (2);

  if (patch >= width)
    return;
  __global const float *unit = scratch + u + sample * dim * patches + patch;
  __global float *slope = scratch + du + sample * dim * patches + patch;
  const float length = scratch[lengths + sample * patches + patch];
  float along = 0.0f;

  for (uint c = 0; c < dim; c++)
    along += unit[c * patches] * slope[c * patches];
  for (uint c = 0; c < dim; c++)
    slope[c * patches] = (slope[c * patches] - unit[c * patches] * along) * length;
}

/* From the gradient with respect to z to dx, (samples, 1 + patches, dim), whose class tokens are 0. Global size (dim, 1, samples). */
__kernel void
channel_moments_backward (__global const float *scratch, uint moments, uint lengths, uint u, uint dz, __global float *restrict dx, uint patches,
    uint width)
{
  const size_t channel = get_global_id (0), dim = width, sample = get_global_id (2);

  if (channel >= width)
    return;
  const size_t first = (sample * dim + channel) * patches;
  __global const float *unit = scratch + u + first, *slope = scratch + dz + first, *length = scratch + lengths + sample * patches;
  __global float *restrict to = dx + sample * (patches + 1) * dim + channel;
  const float inverse = scratch[moments + sample * 2 * dim + dim + channel];
  float sum = 0.0f, along = 0.0f;

  for (uint i = 0; i < patches; i++) {
    sum += slope[i];
    along += slope[i] * unit[i] / length[i];
  }
  sum /= patches;
  along /= patches;
  to[0] = 0.0f;
  for (uint i = 0; i < patches; i++)
    to[(i + 1) * dim] = inverse * (slope[i] - sum - along * unit[i] / length[i]);
}
