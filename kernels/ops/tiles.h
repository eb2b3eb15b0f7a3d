/* RvmTiles: how kernels are shaped for a device: vector width, register tiles, sizes of work-groups. Private to kernels/ and its tests. */
#pragma once

#include "kernels/runtime/device.h"

G_BEGIN_DECLS

typedef struct {
  guint vector;            /* floats that a work-item handles at once, except in products */
  guint group;             /* work-items that share a row or a block of keys; 1 on CPUs */
  guint gemm_vector;       /* floats in a vector of a GEMM tile */
  guint gemm_rows;         /* rows of a GEMM tile */
  guint gemm_vectors;      /* vectors in a row of a GEMM tile */
  guint gemm_side;         /* tiles along each side of a work-group of the GEMM; 1 on CPUs */
  guint attention_queries; /* vectors of queries of a work-item */
  guint attention_lanes;   /* the same in the backward pass, of queries or keys */
  guint key_tile;          /* keys that are scored at once */
  guint dim_tile;          /* elements of the output that are summed at once; fewer if it does not divide the size of a head */
  guint key_block;         /* keys that are scored before the running maximum is updated */
  guint backward_tile;     /* rows of the other side that are scored at once, in the backward pass */
  guint backward_block;    /* rows of the other side that are scored before they are summed, in the backward pass */
} RvmTiles;

/* The tiles of matrix units (cl/matrix_units.cl), and the options of their kernels on @device, on which they are usable. */
#define RVM_UNITS_STEP 32 /* of k, in a tile */
guint rvm_units_get_rows (const RvmDevice *device);          /* the most that a tile has */
const char *rvm_units_get_options (const RvmDevice *device); /* (transfer none) */

/* The tiles for @device. The environment variable RVM_TILES=gpu gives every device the tiles for GPUs, RVM_TILES=8 (or 4, 16) those for processors with
 * vectors of 8 floats, so that they can be tested without such a device. */
RvmTiles rvm_tiles_for_device (const RvmDevice *device);

/* For the tuner: gives every device @tiles, which must stay valid, until the next call; NULL: the usual ones. Not thread-safe. */
void rvm_tiles_set_override (const RvmTiles *tiles);

G_END_DECLS
