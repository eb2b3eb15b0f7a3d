/* Baselines of the loss: two simple answers without learning, measured on the same masked patches. */
#pragma once

#include "step.h"

G_BEGIN_DECLS

typedef struct {
  double mean_colour; /* every masked pixel is the mean colour of the target's visible patches */
  double copy;        /* every masked pixel is that of the last source frame, as it is shown */
} RvmBaseline;

RvmBaseline rvm_baseline_measure (const RvmStepShape *shape, guint patch, const RvmBatch *batch);

G_END_DECLS
