/* RvmSequence: what one kind of features says of a clip, frame by frame, small enough that those of all clips are in memory: pooled states,
 * or grey pixels. And the vectors that classifiers read, which are made of a window of them. */
#pragma once

#include "features.h"
#include "model/readout/pooled.h"

G_BEGIN_DECLS

#define RVM_POOLS 4 /* grids of cells that states are pooled over; of grey pixels there is only the first */

typedef enum { RVM_SEQUENCE_STATE, RVM_SEQUENCE_ENCODER, RVM_SEQUENCE_GREY, RVM_SEQUENCE_CHANGE } RvmSequenceSource;

typedef struct {
  guint n, pools, dim; /* dim: values of a cell; grey pixels are cells of one value */
  guint *frame;             /* (n) as RvmClipFeatures.frame */
  gsize size[RVM_POOLS];    /* values of a frame */
  float *values[RVM_POOLS]; /* (n, size); NULL from `pools` on */
} RvmSequence;

guint rvm_sequence_get_cells (
    guint pool); /* along each side; the finest grid is left out where states have so many channels that it would be too much */

/* @rows, @columns: the grid of patches. */
RvmSequence *rvm_sequence_new (const RvmClipFeatures *features, RvmSequenceSource source, guint rows, guint columns);
void rvm_sequence_free (RvmSequence *sequence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSequence, rvm_sequence_free)

/* The window at the end of a clip. */
typedef struct {
  guint window, stride; /* states, frames from one to the next */
  guint slots;          /* see model/readout/pooled.h */
  RvmReadoutReference reference;
  gboolean absolute; /* what differs from one state of the window to the next, without its sign, instead of the states */
  gboolean changes;  /* change and travel of the cells beside the states */
} RvmWindowShape;

/* What a vector of @shape is made of, over a pool of @sequence. */
RvmPooledShape rvm_sequence_get_shape (const RvmSequence *sequence, guint pool, const RvmWindowShape *shape);

/* (transfer full): see rvm_pooled_vector(). @phase: number of the first frame that is looked at, less than the stride; 0 is taken if the clip has none there. */
float *rvm_sequence_make_vector (const RvmSequence *sequence, guint pool, const RvmWindowShape *shape, guint phase);

G_END_DECLS
