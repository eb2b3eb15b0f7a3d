/* RvmSource: the batches of a run in order. Its own thread makes them before they are asked for. */
#pragma once

#include "sampler.h"
#include "trainer/step/step.h"

G_BEGIN_DECLS

typedef struct {
  RvmBatch batch;
  guint64 first; /* number of its first sample */
} RvmSourceBatch;

void rvm_source_batch_free (RvmSourceBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSourceBatch, rvm_source_batch_free)

typedef struct _RvmSource RvmSource;

/* The part of every batch that a process takes: samples rank * batch / size to (rank + 1) * batch / size. */
typedef struct {
  guint rank, size; /* size divides the recipe's batch */
} RvmShard;

/* @sampler: (transfer full). @first_pass: number of the first batch. @shard: NULL for whole batches. */
RvmSource *rvm_source_new (const RvmRecipe *recipe, RvmSampler *sampler, const RvmShard *shard, guint64 first_pass);
void rvm_source_free (RvmSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSource, rvm_source_free)

/* The most bytes that a source with @samples samples a batch holds: decoded video, and batches made ahead. */
guint64 rvm_source_predict_memory (const RvmRecipe *recipe, guint samples);

const char *rvm_source_get_description (const RvmSource *source);

/* (transfer full). Batches that were made before an error are returned first. After an error every call returns it. */
RvmSourceBatch *rvm_source_next (RvmSource *source, GError **error);
/* (transfer full): always the same batch, which is never trained on, with frames of the recipe's width and height and the most source frames. */
RvmSourceBatch *rvm_source_get_probe (RvmSource *source, GError **error);

G_END_DECLS
