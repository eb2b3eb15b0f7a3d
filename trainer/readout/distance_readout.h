/* Readouts of kind `distance` (model/readout/distance.c) from normal footage: the mean of pooled states and their covariance, which is
 * shrunk towards a multiple of the identity as far as there are too few of them to know it (Ledoit and Wolf, 2004). */
#pragma once

#include "features.h"
#include "model/readout/info.h"

G_BEGIN_DECLS

typedef struct {
  guint dim;
  float *mean;      /* (dim) */
  float *whitening; /* (dim, dim) */
  double shrinkage; /* 0..1 */
  guint n;          /* pooled states that it was made from */
  /* Of footage of groups that were held out, by a readout made from the others; 0 if there is one group only. */
  double median, most_of; /* the distance of half of it and of 95 % of it is below these */
} RvmDistanceReadout;

/* @features: which of the two. @window: states. After rvm_features_compute(). */
RvmDistanceReadout *rvm_distance_readout_make (const RvmFeatureSettings *settings, const RvmLabelled *labelled, RvmReadoutFeatures features,
                                               guint window, GError **error);
gboolean rvm_distance_readout_save (const RvmDistanceReadout *readout, const RvmReadoutInfo *info, const char *path, GError **error);
void rvm_distance_readout_free (RvmDistanceReadout *readout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDistanceReadout, rvm_distance_readout_free)

G_END_DECLS
