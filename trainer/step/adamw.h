/* RvmOptimiser: AdamW with clipping by global norm over all weights of a model (model.md 4), its moments on the device. */
#pragma once

#include "kernels/ops/optimiser.h"
#include "trainer/backward/gradients.h"

G_BEGIN_DECLS

typedef struct {
  double b1, b2, epsilon;
  double decay;     /* of kernels only, decoupled */
  double clip_norm; /* gradients of a larger global norm are scaled down to it; 0: never */
} RvmOptimiserOptions;

typedef struct _RvmOptimiser RvmOptimiser;

/* Moments start as zeros. @model and @gradients must outlive it. */
RvmOptimiser *rvm_optimiser_new (RvmModel *model, RvmGradients *gradients, const RvmOptimiserOptions *options, RvmQueue *queue, GError **error);
void rvm_optimiser_free (RvmOptimiser *optimiser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmOptimiser, rvm_optimiser_free)

guint64 rvm_optimiser_get_step (const RvmOptimiser *optimiser); /* updates so far */
void rvm_optimiser_set_step (RvmOptimiser *optimiser, guint64 step);

/* Updates every weight. @norm: the gradients' global norm before clipping; NaN or infinity is RVM_ERROR_MODEL and changes nothing. */
gboolean rvm_optimiser_update (RvmOptimiser *optimiser, double rate, double *norm, GError **error);

/* First and second moment of the array that @value is the memory of. */
RvmBuffer *rvm_optimiser_find_moment (const RvmOptimiser *optimiser, const RvmBuffer *value, guint which);

G_END_DECLS
