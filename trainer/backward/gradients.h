/* RvmGradients: the gradient of every weight of a trainable model or readout, on the device, looked up by the weight that it belongs to.
 *
 * Gradients of weights accumulate (+=) until rvm_gradients_reset(). A reset only marks them as empty: the first sum after it overwrites (=), so
 * that nothing has to be set to zero. */
#pragma once

#include "kernels/ops/linear_backward.h"
#include "model/model_private.h"

G_BEGIN_DECLS

typedef struct _RvmGradients RvmGradients;

typedef struct {
  RvmBuffer *gradient; /* (transfer none) */
  gboolean empty;
} RvmVectorGradient;

/* One flat array, as the optimiser sees it. */
typedef struct {
  RvmBuffer *value, *gradient; /* (transfer none) */
  guint count;                 /* floats */
  gboolean is_kernel;          /* weight decay applies */
  gboolean is_frozen;          /* the optimiser passes over it */
  const char *name;            /* (transfer none) of the weight, or of the first of several side by side */
} RvmGradientArray;

/* @parameters: (element-type RvmParameter): those of a trainable model or readout, which must outlive the gradients. */
RvmGradients *rvm_gradients_new (RvmDevice *device, const GPtrArray *parameters, GError **error);
void rvm_gradients_free (RvmGradients *gradients);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmGradients, rvm_gradients_free)

RvmLinearGradient *rvm_gradients_find_linear (const RvmGradients *gradients, const RvmLinear *weights);
RvmVectorGradient *rvm_gradients_find_vector (const RvmGradients *gradients, const RvmBuffer *vector);
/* The gradient of the array whose memory is @value. */
RvmBuffer *rvm_gradients_find_buffer (const RvmGradients *gradients, const RvmBuffer *value);

/* Freezes all arrays but those that one of @patterns fits: names with * and ?, and ';' between them; an empty text freezes none. @parameters: as for
 * rvm_gradients_new(). @n_trained: (out) (optional): how many values are not frozen. RVM_ERROR_ARGUMENT if a pattern fits no name, or fits only some of the weights that lie side by side
 * in one array and can only be trained together. */
gboolean rvm_gradients_freeze (RvmGradients *gradients, const GPtrArray *parameters, const char *patterns, guint64 *n_trained, GError **error);

void rvm_gradients_reset (RvmGradients *gradients); /* marks all as empty */
void rvm_gradients_refresh (RvmQueue *queue, RvmGradients *gradients); /* after the weights have changed */

guint rvm_gradients_get_n_arrays (const RvmGradients *gradients);
const RvmGradientArray *rvm_gradients_get_array (const RvmGradients *gradients, guint index);

G_END_DECLS
