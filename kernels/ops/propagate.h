/* Launchers of label propagation (propagate.cl). Features of a frame are (cells, dim) float32, cells in row-major order of a grid. */
#pragma once

#include <glib.h>

#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

#define RVM_PROPAGATE_MAX_TOP 32

/* Sizes that all launches of one propagation share. */
typedef struct {
  guint cells, columns, dim;
  guint padded; /* rvm_propagate_pad (cells): cells of a packed frame */
  guint top;    /* candidates kept for a cell, 1 to RVM_PROPAGATE_MAX_TOP */
} RvmPropagateShape;

guint rvm_propagate_pad (RvmDevice *device, guint cells);

/* @x to rows of length 1: @query (cells, dim), and frame @frame of @packed (frames, padded * dim). With @moments (2, dim), each channel of @x is
 * first brought to mean 0 and deviation 1 over the cells, by what is computed into it; NULL: as it is. */
void rvm_propagate_normalise (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *x, RvmBuffer *moments, RvmBuffer *query,
    RvmBuffer *packed, guint frame);

/* The most similar cells in each of the first @frames of @packed but @skip (G_MAXUINT: none): @value float32 and @where uint32, each
 * (..., cells, top), from frame @first_out. Cells at a grid distance of @radius and more are excluded unless it is 0. */
void rvm_propagate_candidates (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *query, const RvmBuffer *packed,
    guint frames, guint skip, guint radius, RvmBuffer *value, RvmBuffer *where, guint first_out);

/* A context frame: where its candidates and its labels are, and how often it counts. */
typedef struct {
  guint32 candidates, labels, copies, unused;
} RvmPropagateEntry;

/* Labels of frame @out_frame of @labels (frames, cells, channels) from those of @entries (@n_entries RvmPropagateEntry). */
void rvm_propagate_labels (RvmQueue *queue, const RvmPropagateShape *shape, const RvmBuffer *value, const RvmBuffer *where,
    const RvmBuffer *entries, guint n_entries, RvmBuffer *labels, guint out_frame, guint channels, float temperature);

G_END_DECLS
