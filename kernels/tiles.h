/* How kernels are shaped for a device: vector width, register tiles, group sizes. Private to kernels/ and its tests. */
#pragma once

#include "device.h"

G_BEGIN_DECLS

typedef struct {
  guint vector;            /* floats a work-item of a row kernel handles at once */
  guint group;             /* work-items that share a row or a block of keys; 1 on CPUs */
  guint gemm_vector;       /* floats in a vector of a GEMM tile */
  guint gemm_rows;         /* rows of a GEMM tile */
  guint gemm_vectors;      /* vectors in a row of a GEMM tile */
  guint attention_queries; /* vectors of queries of a work-item */
  guint attention_lanes;   /* vectors of rows of a work-item on the way back */
  guint key_tile;          /* keys scored at once */
  guint key_block;         /* keys between two looks at the running maximum */
} RvmTiles;

/* The shape for @device. The environment variable RVM_TILES=gpu gives every device the shape meant for GPUs, so that those
 * variants can be tested where there is none. */
RvmTiles rvm_tiles_for_device (const RvmDevice *device);

G_END_DECLS
