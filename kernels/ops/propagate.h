/* The steps of label propagation: normalise the features of a frame, find the most similar cells of earlier frames, average their labels.
 *
 * The features of a frame are (cells, dim) float32, with the cells of a grid in row-major order. Earlier frames (the context) are kept packed in panels
 * of cells, see cl/propagate.cl. */
#pragma once

#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

#define RVM_PROPAGATE_MAX_TOP 32

/* Sizes that all steps of a propagation share. */
typedef struct {
  guint cells, columns;
  guint dim;    /* floats that are compared: of the features, and then of what is beside them */
  guint extra;  /* those of them that are beside the features */
  guint padded; /* cells of a packed frame: rvm_propagate_pad (cells) */
  guint top;    /* candidates that are kept for each cell, 1 to RVM_PROPAGATE_MAX_TOP */
} RvmPropagateShape;

guint rvm_propagate_pad (RvmDevice *device, guint cells);

/* Scales the rows of @x (cells, dim - extra) to length 1, appends those of @beside (cells, extra; may be NULL if extra is 0) as they are, and stores
 * the result in @query (cells, dim) and as frame @frame of @packed (frames, padded * dim). @moments: (2, dim - extra), an output: channels of @x are first
 * brought to mean 0 and deviation 1 over the cells; NULL: they are not. */
void rvm_propagate_normalise (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *x, RvmBuffer *moments, const RvmBuffer *beside,
    RvmBuffer *query, RvmBuffer *packed, guint frame);

/* Finds the most similar cells in each of the first @frames frames of @packed, except frame @skip (G_MAXUINT: no exception). @value, float32, and
 * @where, uint32: (frames, cells, top), written from frame @first_out on. @radius: unless 0, cells whose distance on the grid is at least this are
 * excluded. */
void rvm_propagate_candidates (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *query, const RvmBuffer *packed,
    guint frames, guint skip, guint radius, RvmBuffer *value, RvmBuffer *where, guint first_out);

/* A frame of the context. */
typedef struct {
  guint32 candidates; /* its frame in value and where */
  guint32 labels;     /* its frame in labels */
  guint32 copies;     /* how often it counts */
  guint32 unused;
} RvmPropagateEntry;

/* Computes frame @out_frame of @labels (frames, cells, channels) from the frames of the context. @entries: @n_entries RvmPropagateEntry. The labels of
 * the best candidates are averaged with weights softmax (value / @temperature). */
void rvm_propagate_labels (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *value, const RvmBuffer *where,
    const RvmBuffer *entries, guint n_entries, RvmBuffer *labels, guint out_frame, guint channels, float temperature);

G_END_DECLS
