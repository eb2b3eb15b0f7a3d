/* Label propagation: carries the labels of earlier frames (the context) to this one, from the cells with the most similar features.
 *
 *            dim                       padded cells                        A frame has `cells` features of `dim` floats, scaled to
 *         +-------+               +-------+-------+----+                   length 1. Those of context frames are packed in panels of
 *         |       |               |       |       |    |                   PANEL cells, with zeros after the last cell, like the
 *  cells  |#query#|     times dim |# panel|       |    | packed            weights of linear.cl. The products of RVM_ROWS queries and
 *         |       |               |       |       |    |                   one panel are a tile in registers; of each, only the best
 *         +-------+               +-------+-------+----+                   are kept. No matrix of similarities is stored.
 *
 *   query        (cells, dim)
 *   packed       (frames, padded / PANEL, dim, PANEL)
 *   value, where (frames, cells, RVM_TOP): similarity and cell of the best candidates of each query, best first
 *   labels       (frames, cells, channels) */

#ifndef RVM_ROWS
#define RVM_ROWS 4 /* queries that a work-item compares at once */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors in a row of a panel */
#endif
#ifndef RVM_TOP
#define RVM_TOP 7 /* candidates that are kept for each cell */
#endif

#define PANEL (RVM_VECTOR * RVM_VECTORS)

#if RVM_VECTOR == 1
#define ANY_ABOVE(v, x) ((v) > (x))
#else
#define ANY_ABOVE(v, x) any ((v) > (vec) (x))
#endif

/* The moments of each channel of x (cells, dim) over the cells: moments (2, dim) = its mean, then 1 / its standard deviation, or 0 if the channel is
 * constant up to rounding. One work-item for each channel: global size (dim). */
__kernel void
propagate_moments (__global const float *restrict x, __global float *restrict moments, uint cells, uint dim)
{
  const uint d = get_global_id (0);
  float mean = 0, variance = 0;

  for (uint cell = 0; cell < cells; cell++)
    mean += x[(size_t) cell * dim + d];
  mean /= cells;
  for (uint cell = 0; cell < cells; cell++) {
    const float apart = x[(size_t) cell * dim + d] - mean;
    variance = fma (apart, apart, variance);
  }
  variance /= cells;
  moments[d] = mean;
  moments[dim + d] = variance > 1e-10f * mean * mean ? 1.0f / sqrt (variance) : 0.0f;
}

/* Scales the rows of x (cells, dim - extra) to length 1, appends those of beside (cells, extra) as they are, and stores the result in query
 * (cells, dim) and, from float packed_offset on, in packed. A row of zeros stays zero. If `standardise`, the channels of x are first brought to mean 0 and
 * deviation 1 by `moments`, which is not read otherwise; nor is beside if extra is 0. One work-item for each cell, including the padding: global size
 * (padded). */
__kernel void
propagate_normalise (__global const float *restrict x, __global const float *restrict moments, __global const float *restrict beside,
    __global float *restrict query, __global float *restrict packed, uint packed_offset, uint cells, uint dim, uint extra, uint standardise)
{
  const uint cell = get_global_id (0), width = dim - extra;
  __global float *restrict out = packed + packed_offset + (size_t) (cell / PANEL) * dim * PANEL + cell % PANEL;
  __global const float *restrict row = x + (size_t) cell * width;
  float sum = 0;

  if (cell >= cells) {
    for (uint d = 0; d < dim; d++)
      out[(size_t) d * PANEL] = 0;
    return;
  }
  for (uint d = 0; d < width; d++) {
    const float value = standardise ? (row[d] - moments[d]) * moments[width + d] : row[d];
    query[(size_t) cell * dim + d] = value;
    sum = fma (value, value, sum);
  }
  const float scale = 1.0f / fmax (sqrt (sum), 1e-12f);
  for (uint d = 0; d < dim; d++) {
    const float value = d < width ? query[(size_t) cell * dim + d] * scale : beside[(size_t) cell * extra + d - width];
    query[(size_t) cell * dim + d] = value;
    out[(size_t) d * PANEL] = value;
  }
}

/* The RVM_TOP cells of each context frame that are most similar to each query: value and where, from frame `first_out` on; value is -FLT_MAX if there
 * are fewer. `radius`, unless 0, excludes cells whose distance on the grid is at least `radius`. Frame `skip` of the context is left out. Global size
 * (blocks of RVM_ROWS queries, context frames). */
__kernel void
propagate_candidates (__global const float *restrict query, __global const float *restrict packed, __global float *restrict value,
    __global uint *restrict where, uint first_out, uint skip, uint cells, uint padded, uint columns, uint dim, uint radius)
{
  const uint first = get_global_id (0) * RVM_ROWS, frame = get_global_id (1);
  float best[RVM_ROWS][RVM_TOP];
  uint cell[RVM_ROWS][RVM_TOP];

  if (frame == skip)
    return;
  for (uint r = 0; r < RVM_ROWS; r++)
    for (uint i = 0; i < RVM_TOP; i++) {
      best[r][i] = -FLT_MAX;
      cell[r][i] = 0;
    }
  const uint top_row = first / columns, bottom_row = min (first + RVM_ROWS, cells) / columns;
  for (uint start = 0; start < padded; start += PANEL) {
    /* Skips panels all of whose rows on the grid are too far away. */
    if (radius && ((start + PANEL - 1) / columns + radius <= top_row || start / columns >= bottom_row + radius))
      continue;
    __global const float *restrict p = packed + ((size_t) frame * padded + start) * dim;
    vec sums[RVM_ROWS][RVM_VECTORS];
    for (uint r = 0; r < RVM_ROWS; r++)
      for (uint v = 0; v < RVM_VECTORS; v++)
        sums[r][v] = (vec) 0.0f;
    for (uint d = 0; d < dim; d++)
#pragma unroll
      for (uint r = 0; r < RVM_ROWS; r++) {
        const vec a = (vec) query[(size_t) min (first + r, cells - 1) * dim + d];
#pragma unroll
        for (uint v = 0; v < RVM_VECTORS; v++)
          sums[r][v] = fma (a, VLOAD (p + (size_t) d * PANEL + v * RVM_VECTOR), sums[r][v]);
      }
    for (uint r = 0; r < RVM_ROWS; r++)
      for (uint v = 0; v < RVM_VECTORS; v++) {
        float lanes[RVM_VECTOR];
        if (!ANY_ABOVE (sums[r][v], best[r][RVM_TOP - 1]))
          continue;
        VSTORE (sums[r][v], lanes);
        for (uint lane = 0; lane < RVM_VECTOR; lane++) {
          const uint other = start + v * RVM_VECTOR + lane;
          const int dy = (int) (other / columns) - (int) ((first + r) / columns), dx = (int) (other % columns) - (int) ((first + r) % columns);
          if (other >= cells || !(lanes[lane] > best[r][RVM_TOP - 1]) || (radius && dx * dx + dy * dy >= (int) (radius * radius)))
            continue;
          uint i = RVM_TOP - 1;
          for (; i > 0 && best[r][i - 1] < lanes[lane]; i--) {
            best[r][i] = best[r][i - 1];
            cell[r][i] = cell[r][i - 1];
          }
          best[r][i] = lanes[lane];
          cell[r][i] = other;
        }
      }
  }
  for (uint r = 0; r < RVM_ROWS && first + r < cells; r++)
    for (uint i = 0; i < RVM_TOP; i++) {
      const size_t at = ((size_t) (first_out + frame) * cells + first + r) * RVM_TOP + i;
      value[at] = best[r][i];
      where[at] = cell[r][i];
    }
}

/* The labels of this frame: frame `out_frame` of labels, from other frames of it.
 *
 * entries (n_entries) are the context: x is a frame of value and where, y its frame in labels, z how often it counts. For each cell, the RVM_TOP best
 * candidates of all entries are taken, and their labels are averaged with weights softmax (value * scale). One work-item for each cell: global size
 * (cells). */
__kernel void
propagate_labels (__global const float *restrict value, __global const uint *restrict where, __global const uint4 *restrict entries,
    uint n_entries, __global float *labels, uint out_frame, uint cells, uint channels, float scale)
{
  const uint me = get_global_id (0);
  float best[RVM_TOP], total = 0;
  uint row[RVM_TOP];

  for (uint i = 0; i < RVM_TOP; i++) {
    best[i] = -FLT_MAX;
    row[i] = 0;
  }
  for (uint e = 0; e < n_entries; e++) {
    const uint4 entry = entries[e];
    for (uint k = 0; k < RVM_TOP; k++) {
      const size_t at = ((size_t) entry.x * cells + me) * RVM_TOP + k;
      const float x = value[at];
      if (!(x > best[RVM_TOP - 1]))
        break;
      for (uint copy = 0; copy < entry.z && x > best[RVM_TOP - 1]; copy++) {
        uint i = RVM_TOP - 1;
        for (; i > 0 && best[i - 1] < x; i--) {
          best[i] = best[i - 1];
          row[i] = row[i - 1];
        }
        best[i] = x;
        row[i] = entry.y * cells + where[at];
      }
    }
  }
  const float highest = best[0];
  for (uint i = 0; i < RVM_TOP; i++) {
    best[i] = best[i] == -FLT_MAX ? 0.0f : exp ((best[i] - highest) * scale);
    total += best[i];
  }
  for (uint c = 0; c < channels; c++) {
    float sum = 0;
    for (uint i = 0; i < RVM_TOP; i++)
      sum = fma (best[i], labels[(size_t) row[i] * channels + c], sum);
    labels[((size_t) out_frame * cells + me) * channels + c] = total > 0 ? sum / total : 0;
  }
}
