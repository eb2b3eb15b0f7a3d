/* Two contrastive losses and their gradient: each patch of one frame is to find its place, and its object, in another frame of the same sample by its
 * features.
 *
 *   places:  mean over matched queries of  log sum_j exp (cos (z_i, z_j) / temperature) - cos (z_i, z_match(i)) / temperature
 *   objects: mean over queries whose object is among the keys of
 *            log sum_j exp (cos (z_i, z_j) / temperature) - log sum_{j of the same object} exp (cos (z_i, z_j) / temperature)
 *
 * where z are the features with each channel standardised over the patches of its frame, as labels are propagated (ops/propagate.h), and j runs
 * over all patches of the other frame. The first is the InfoNCE loss (arXiv 1807.03748) with the other places of the same frame as negatives. The second is
 * the cross-entropy of the object that label propagation would give the query; it is MIL-NCE (arXiv 1912.06430), and asks for nothing within an object. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* Sizes: tokens = 1 + patches; the class token, which is the first, takes no part. */
typedef struct {
  RvmTensor query, key;     /* (samples * tokens, dim) */
  const RvmBuffer *match;   /* uint32 (samples, patches): the patch among the keys at which a query is, or RVM_MATCH_NONE (cl/flags.h) */
  float temperature;
  float scale;              /* the weight of places / number of queries that have a match */
  const RvmBuffer *object;  /* uint32 (samples, 2, patches): numbers of the objects seen in the patches of keys, then of queries, or RVM_MATCH_NONE where
                             * that is not known. NULL: no loss of objects */
  float object_scale;       /* the weight of objects / number of queries whose object is among the keys */
  RvmTensor dquery, dkey;   /* (samples * tokens, dim): gradients of scale * sum of row_loss + object_scale * sum of object_loss */
  RvmBuffer *row_loss;      /* (samples, patches): 0 where there is no match */
  RvmBuffer *object_loss;   /* (samples, patches): -1 where the object is not known, or not among the keys; NULL if object is */
  RvmBuffer *found;         /* uint32 (samples, patches): 1 where no other key is nearer than the match, else 0 */
  RvmBuffer *scratch;       /* rvm_correspondence_scratch() floats */
  guint samples, tokens;
} RvmCorrespondence;

/* Floats of scratch memory. */
guint64 rvm_correspondence_scratch (guint64 samples, guint64 tokens, guint64 dim);

void rvm_correspondence_loss (RvmQueue *queue, const RvmCorrespondence *loss);

G_END_DECLS
