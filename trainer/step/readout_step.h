/* RvmReadoutStep: forward and backward pass of a trainable readout over a batch of windows of features, and its file. Owns the gradients and every
 * activation; made once for the largest batch.
 *
 *   readout = rvm_readout_load_trainable (path, device, gemm, &error);      a file of rvm_initialise_readout(), or one to train further
 *   step = rvm_readout_step_new (readout, &shape, &error);
 *   optimiser = rvm_optimiser_new (rvm_readout_step_get_gradients (step), &options, rvm_readout_step_get_queue (step), &error);
 *   for each batch:
 *     rvm_readout_step_backward (step, &batch, &loss, &error)
 *     rvm_optimiser_update (optimiser, rate, &norm, &error)
 *     rvm_readout_step_begin (step)
 *   rvm_readout_step_save (step, path, rvm_readout_get_info (readout), &error) */
#pragma once

#include "model/readout/readout_private.h"
#include "trainer/backward/gradients.h"

G_BEGIN_DECLS

/* The most that a batch has. */
typedef struct {
  guint windows, states; /* windows of a batch, states of a window */
  guint rows, columns;   /* the grid of patches, the same in all batches */
} RvmReadoutBatchShape;

/* One batch, on the host. A place is one of the values of a map (RvmReadoutAnswer): the only one for class. */
typedef struct {
  guint windows, states;   /* at most the shape's */
  const float *features;   /* (windows, states, 1 + rows * columns, dim): states of a window from the oldest to the newest */
  const float *target;     /* class, labels: (windows, places, channels), a distribution over channels. Depth: (windows, places), the logarithm of the depth
                            * or RVM_TARGET_UNKNOWN (kernels/cl/flags.h). Places in the row-major order of the map */
  const float *weight;     /* (windows, places): of each place's loss; 0: it does not count */
  const guint32 *age;      /* (windows, states), or NULL: no state is missing between the oldest and the newest, whose age is 0 */
} RvmReadoutBatch;

typedef struct _RvmReadoutStep RvmReadoutStep;

/* @readout: of rvm_readout_load_trainable(), must outlive the step. RVM_ERROR_ARGUMENT, _MEMORY, _DEVICE. */
RvmReadoutStep *rvm_readout_step_new (RvmReadout *readout, const RvmReadoutBatchShape *most, GError **error);
void rvm_readout_step_free (RvmReadoutStep *step);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReadoutStep, rvm_readout_step_free)

RvmQueue *rvm_readout_step_get_queue (RvmReadoutStep *step);         /* (transfer none) */
RvmGradients *rvm_readout_step_get_gradients (RvmReadoutStep *step); /* (transfer none) */

/* Empties the gradients, and makes what is derived from the weights again: to be called after the weights have changed. */
void rvm_readout_step_begin (RvmReadoutStep *step);

/* Both subtract the readout's reference from the features. @loss: the weighted sum over places. @values: (nullable): answers as those of a stream,
 * (windows, places, channels). A NaN or infinite loss is RVM_ERROR_MODEL. backward() also adds the gradients of the loss to those that are there. */
gboolean rvm_readout_step_forward (RvmReadoutStep *step, const RvmReadoutBatch *batch, double *loss, float *values, GError **error);
gboolean rvm_readout_step_backward (RvmReadoutStep *step, const RvmReadoutBatch *batch, double *loss, float *values, GError **error);

/* The values of the array @name of the readout's file, as they are. After the last write, rvm_readout_step_begin(). */
gboolean rvm_readout_step_read (RvmReadoutStep *step, const char *name, float *values, GError **error);
gboolean rvm_readout_step_write (RvmReadoutStep *step, const char *name, const float *values, GError **error);
/* Writes the weights as they are, with the metadata of @info, to a .safetensors file. */
gboolean rvm_readout_step_save (RvmReadoutStep *step, const char *path, const RvmReadoutInfo *info, GError **error);

G_END_DECLS
