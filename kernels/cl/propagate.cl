/* Label propagation (model.md 7): labels of earlier frames carried to this one along the most similar features.
 *
 * A frame has `cells` features of `dim` floats, here always of length 1. Those of context frames are packed like GEMM weights: panels of
 * PANEL cells, (padded / PANEL, dim, PANEL), zeros after the last cell, so that the products of a block of queries with a panel are a
 * register tile; they are looked at and forgotten: no matrix of affinities is stored. */

#ifndef RVM_ROWS
#define RVM_ROWS 4 /* queries of a work-item */
#endif
#ifndef RVM_VECTORS
#define RVM_VECTORS 2 /* vectors of a panel */
#endif
#ifndef RVM_TOP
#define RVM_TOP 7 /* candidates kept for a cell */
#endif

#define PANEL (RVM_VECTOR * RVM_VECTORS)

#if RVM_VECTOR == 1
#define ANY_ABOVE(v, x) ((v) > (x))
#else
#define ANY_ABOVE(v, x) any ((v) > (vec) (x))
#endif

/* What each channel of x (cells, dim) is over the frame: moments (2, dim), its mean and 1 / its standard deviation; 0 for a channel that is the
 * same everywhere but for rounding, which says nothing. One work-item a channel. */
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

/* x (cells, dim) to rows of length 1: query (cells, dim), and packed, from float packed_offset. A row of zeros stays one. If `standardise`, its
 * channels are first brought to mean 0 and deviation 1 by `moments`, otherwise not read. One work-item a cell of the padded count. */
__kernel void
propagate_normalise (__global const float *restrict x, __global const float *restrict moments, __global float *restrict query,
    __global float *restrict packed, uint packed_offset, uint cells, uint dim, uint standardise)
{
  const uint cell = get_global_id (0);
  __global float *restrict out = packed + packed_offset + (size_t) (cell / PANEL) * dim * PANEL + cell % PANEL;
  __global const float *restrict row = x + (size_t) cell * dim;
  float sum = 0;

  if (cell >= cells) {
    for (uint d = 0; d < dim; d++)
      out[(size_t) d * PANEL] = 0;
    return;
  }
  for (uint d = 0; d < dim; d++) {
    const float value = standardise ? (row[d] - moments[d]) * moments[dim + d] : row[d];
    query[(size_t) cell * dim + d] = value;
    sum = fma (value, value, sum);
  }
  const float scale = 1.0f / fmax (sqrt (sum), 1e-12f);
  for (uint d = 0; d < dim; d++) {
    const float value = query[(size_t) cell * dim + d] * scale;
    query[(size_t) cell * dim + d] = value;
    out[(size_t) d * PANEL] = value;
  }
}

/* The RVM_TOP cells of a context frame that are most similar to each query, best first: value and cell, (frames, cells, RVM_TOP), from
 * frame `first_out`; -FLT_MAX where there are fewer. `radius`, unless 0, excludes cells at a grid distance of radius and more. Frame
 * `skip` of the context is left out. Global size (blocks of RVM_ROWS queries, context frames). */
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
    /* Whole panels out of reach: by rows alone. */
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

/* The labels of this frame: labels (frames, cells, channels), written at frame `out_frame`, from others of the same array.
 * entries (n_entries): x the frame of value and where, y the frame of labels, z how many times it counts. The RVM_TOP best of all
 * entries, softmax of value * scale, weighted sum. One work-item a cell. */
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
