/* The linear network of dense readouts, and what it reads of a state: each patch with its surroundings. Readouts and the trainer that makes them share both.
 * Private to model/readout/ and trainer/. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Sums over rectangles of patches, in constant time for each. */
typedef struct {
  guint rows, columns, dim;
  double *sums; /* (rows + 1, columns + 1, dim): over all patches above and to the left */
} RvmPatchSums;

gboolean rvm_patch_sums_init (RvmPatchSums *sums, guint rows, guint columns, guint dim); /* FALSE: no memory */
void rvm_patch_sums_clear (RvmPatchSums *sums);
/* @features: (1 + rows * columns, dim); row 0 is the class token, which is left out. */
void rvm_patch_sums_set (RvmPatchSums *sums, const float *features);
/* @vector (rings, dim): number i the mean over the patches of the grid that are at most 2 i rows and columns away from the cell; 0 the patch itself. */
void rvm_patch_sums_get (const RvmPatchSums *sums, const float *features, guint cell, guint rings, float *vector);

typedef struct {
  guint rings, dim, code, outputs;
  float *kernel; /* (rings, dim, outputs) */
  float *places; /* (code, outputs) */
  float *bias;   /* (outputs) */
} RvmPatchNetwork;

void rvm_patch_network_free (RvmPatchNetwork *network);

/* A network on a grid of patches, with its scratch. */
typedef struct _RvmPatchGrid RvmPatchGrid;

/* @network: (transfer none). NULL: no memory. */
RvmPatchGrid *rvm_patch_grid_new (const RvmPatchNetwork *network, guint rows, guint columns);
void rvm_patch_grid_free (RvmPatchGrid *grid);
/* @features: (1 + rows * columns, dim). Returns (rows * columns, outputs), valid until the next call. */
const float *rvm_patch_grid_answer (RvmPatchGrid *grid, const float *features);

G_END_DECLS
