/* RvmOptimiser: AdamW with clipping by the global norm, over all weights of a model that are not frozen. Moments are kept on the device. */
#pragma once

#include "kernels/ops/optimiser.h"
#include "trainer/backward/gradients.h"

G_BEGIN_DECLS

typedef struct {
  double b1, b2, epsilon;
  double decay;     /* decoupled weight decay, of kernels only */
  double clip_norm; /* gradients of a larger global norm are scaled down to this; 0: never */
} RvmOptimiserOptions;

typedef struct _RvmOptimiser RvmOptimiser;

/* Moments start as zeros. @model and @gradients must outlive it. */
RvmOptimiser *rvm_optimiser_new (RvmGradients *gradients, const RvmOptimiserOptions *options, RvmQueue *queue, GError **error);
void rvm_optimiser_free (RvmOptimiser *optimiser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmOptimiser, rvm_optimiser_free)

guint64 rvm_optimiser_get_step (const RvmOptimiser *optimiser); /* updates so far */
void rvm_optimiser_set_step (RvmOptimiser *optimiser, guint64 step);

/* Updates every weight that is not frozen. @norm: their gradients' global norm before clipping; NaN or infinity is RVM_ERROR_MODEL and changes nothing. */
gboolean rvm_optimiser_update (RvmOptimiser *optimiser, double rate, double *norm, GError **error);

/* Moment @which (0: first, 1: second) of the array whose memory is @value. */
RvmBuffer *rvm_optimiser_find_moment (const RvmOptimiser *optimiser, const RvmBuffer *value, guint which);

G_END_DECLS
