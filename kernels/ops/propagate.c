/* Launches propagate.cl. Its tile of queries and context cells is that of the native GEMM, but with fewer columns, because the lists of candidates need
 * registers too. */
#include "propagate.h"

#include "kernels/runtime/launch.h"
#include "tiles.h"

static guint
vectors_of (const RvmTiles *tiles)
{
  return MIN (tiles->gemm_vectors, 2);
}

guint
rvm_propagate_pad (RvmDevice *device, guint cells)
{
  const RvmTiles tiles = rvm_tiles_for_device (device);
  const guint panel = tiles.gemm_vector * vectors_of (&tiles);

  return (cells + panel - 1) / panel * panel;
}

#define MAX_OPTIONS 128

static void
make_options (const RvmPropagateShape *shape, const RvmTiles *tiles, char options[MAX_OPTIONS])
{
  g_snprintf (options, MAX_OPTIONS, "-DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u -DRVM_TOP=%u", tiles->gemm_vector, tiles->gemm_rows,
      vectors_of (tiles), shape->top);
}

void
rvm_propagate_normalise (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *x, RvmBuffer *moments, const RvmBuffer *beside,
    RvmBuffer *query, RvmBuffer *packed, guint frame)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const RvmArg args[] = {
    RVM_ARG_BUFFER (x), RVM_ARG_BUFFER (moments ? moments : x), RVM_ARG_BUFFER (beside ? beside : x), RVM_ARG_BUFFER (query), RVM_ARG_BUFFER (packed),
    RVM_ARG_UINT (frame * shape->padded * shape->dim), RVM_ARG_UINT (shape->cells), RVM_ARG_UINT (shape->dim), RVM_ARG_UINT (shape->extra), RVM_ARG_UINT (moments != NULL),
  };
  const guint width = shape->dim - shape->extra;
  char options[MAX_OPTIONS];

  make_options (shape, &tiles, options);
  if (moments)
    rvm_queue_launch (queue, &(RvmKernel){ "propagate", "propagate_moments", options, NULL }, 1, (const gsize[]){ width }, NULL, 4,
        (const RvmArg[]){ RVM_ARG_BUFFER (x), RVM_ARG_BUFFER (moments), RVM_ARG_UINT (shape->cells), RVM_ARG_UINT (width) });
  rvm_queue_launch (queue, &(RvmKernel){ "propagate", "propagate_normalise", options, NULL }, 1, (const gsize[]){ shape->padded }, NULL,
      G_N_ELEMENTS (args), args);
}

void
rvm_propagate_candidates (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *query, const RvmBuffer *packed,
    guint frames, guint skip, guint radius, RvmBuffer *value, RvmBuffer *where, guint first_out)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const gsize global[2] = { (shape->cells + tiles.gemm_rows - 1) / tiles.gemm_rows, frames };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (query), RVM_ARG_BUFFER (packed), RVM_ARG_BUFFER (value), RVM_ARG_BUFFER (where), RVM_ARG_UINT (first_out),
    RVM_ARG_UINT (skip), RVM_ARG_UINT (shape->cells), RVM_ARG_UINT (shape->padded), RVM_ARG_UINT (shape->columns),
    RVM_ARG_UINT (shape->dim), RVM_ARG_UINT (radius),
  };
  char options[MAX_OPTIONS];

  if (frames == 0)
    return;
  make_options (shape, &tiles, options);
  rvm_queue_launch (queue, &(RvmKernel){ "propagate", "propagate_candidates", options, NULL }, 2, global,
      tiles.group == 1 ? (const gsize[]){ 1, 1 } : NULL, G_N_ELEMENTS (args), args);
}

void
rvm_propagate_labels (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *value, const RvmBuffer *where,
    const RvmBuffer *entries, guint n_entries, RvmBuffer *labels, guint out_frame, guint channels, float temperature)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  const RvmArg args[] = {
    RVM_ARG_BUFFER (value), RVM_ARG_BUFFER (where), RVM_ARG_BUFFER (entries), RVM_ARG_UINT (n_entries), RVM_ARG_BUFFER (labels),
    RVM_ARG_UINT (out_frame), RVM_ARG_UINT (shape->cells), RVM_ARG_UINT (channels), RVM_ARG_FLOAT (1.0f / temperature),
  };
  char options[MAX_OPTIONS];

  make_options (shape, &tiles, options);
  rvm_queue_launch (queue, &(RvmKernel){ "propagate", "propagate_labels", options, NULL }, 1, (const gsize[]){ shape->cells }, NULL,
      G_N_ELEMENTS (args), args);
}
