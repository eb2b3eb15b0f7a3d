/* RvmSource: the batches of a run in order, made ahead of time by a thread of its own. */
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

/* Which part of every batch: samples rank * batch / size to (rank + 1) * batch / size. */
typedef struct {
  guint rank, size; /* size divides the recipe's batch */
} RvmShard;

/* @sampler: (transfer full). From pass @first_pass on; @shard NULL: whole batches. */
RvmSource *rvm_source_new (const RvmRecipe *recipe, RvmSampler *sampler, const RvmShard *shard, guint64 first_pass);
void rvm_source_free (RvmSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSource, rvm_source_free)

/* Bytes that a source of @samples samples a batch may come to hold: decoded video and batches made ahead. */
guint64 rvm_source_predict_memory (const RvmRecipe *recipe, guint samples);

const char *rvm_source_get_description (const RvmSource *source);

/* (transfer full). Batches that were made before an error come before it. The error stays: there are no batches after it. */
RvmSourceBatch *rvm_source_next (RvmSource *source, GError **error);
/* (transfer full): always the same batch, which no pass ever gets, with frames of the recipe's width and height and the most source frames. */
RvmSourceBatch *rvm_source_get_probe (RvmSource *source, GError **error);

G_END_DECLS
