/* How kernels are shaped for a device: vector width, register tiles, group sizes. Private to kernels/ and its tests. */
#pragma once

#include "kernels/runtime/device.h"

G_BEGIN_DECLS

typedef struct {
  guint vector;            /* floats a work-item of a row kernel handles at once */
  guint group;             /* work-items that share a row or a block of keys; 1 on CPUs */
  guint gemm_vector;       /* floats in a vector of a GEMM tile */
  guint gemm_rows;         /* rows of a GEMM tile */
  guint gemm_vectors;      /* vectors in a row of a GEMM tile */
  guint gemm_side;         /* tiles along each side of a work-group of the GEMM; 1 on CPUs */
  guint attention_queries; /* vectors of queries of a work-item */
  guint attention_lanes;   /* vectors of rows of a work-item on the way back */
  guint key_tile;          /* keys scored at once */
  guint dim_tile;          /* output dimensions summed at once; fewer where it does not divide the head's */
  guint key_block;         /* keys between two looks at the running maximum */
  guint back_tile, back_block; /* the same on the way back */
} RvmTiles;

/* The shape for @device. The environment variable RVM_TILES=gpu gives every device the shape meant for GPUs, RVM_TILES=8 that for processors
 * with vectors of 8 floats (also 4, 16), so that those variants can be tested where there is none. */
RvmTiles rvm_tiles_for_device (const RvmDevice *device);

/* Until the next call every device has @tiles, which must stay valid; NULL: as measured. For the tuner. Not thread-safe. */
void rvm_tiles_set_override (const RvmTiles *tiles);

G_END_DECLS
