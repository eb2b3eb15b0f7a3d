/* RvmStep: the forward and backward pass of a batch, on a trainable model. It owns all activations and is made once, for the largest batch of a run. */
#pragma once

#include "reduce.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

/* Sizes of a batch. A picture is rows x columns patches. */
typedef struct {
  guint rows, columns;
  guint samples;
  guint sources; /* source frames of a sample: at most this many */
  guint targets; /* target frames of a sample */
  guint kept;    /* visible patches of a target */
  guint most_patches; /* most patches of a picture, if batches have their own sizes; 0: all batches have the sizes above */
  guint context; /* the decoder sees the states after so many of the last source frames; 0: after all, as published */
  gboolean context_position; /* positional encodings are added to the states that the decoder sees */
  gboolean grid_code; /* the decoder has the encoder's positional encoding, which fits grids of all sizes; FALSE: as published, patches are counted along the rows */
  double places, objects, places_temperature; /* the weights of the losses of places and objects, 0: there is none */
} RvmStepShape;

/* One batch, on the host. */
typedef struct {
  guint sources;         /* <= the shape's */
  guint samples, rows, columns, kept; /* 0: the shape's. Others may differ while samples x patches stays within the shape's */
  const guint8 *source;  /* (samples, sources, height, width, 3) RGB */
  const guint8 *target;  /* (samples, targets, height, width, 3) RGB */
  const guint32 *gaps;   /* (samples, targets): frames after the last source frame, less than the model's deltas */
  const guint32 *visible;/* (samples, targets, kept): patches, each at most once */
  const guint32 *match;  /* (samples, patches), or NULL: for patches of the last source frame where they are in the first, or RVM_MATCH_NONE */
  const guint32 *object; /* (samples, 2, patches), NULL if @match is: which object is seen in the first, then the last source frame, or RVM_MATCH_NONE */
} RvmBatch;

typedef struct {
  double masked; /* mean squared error over the masked patches, pixels in [0, 1] */
  double all;    /* over all patches */
  guint matched; /* patches of the last source frame that have a place in the first; 0 also without a loss of places */
  double places; /* their mean loss (kernels/ops/correspondence.h), which counts shape.places times, and matched / all patches */
  double found;  /* share of them whose place is nearer than any other */
  guint known;   /* patches of the last source frame whose object is in the first; 0 also without a loss of objects */
  double objects; /* their mean loss, which counts shape.objects times, and known / all patches */
} RvmLoss;

typedef struct _RvmStep RvmStep;

/* @all_patches: the gradient is that of RvmLoss.all instead of masked. @profile: see rvm_queue_new(). */
RvmStep *rvm_step_new (RvmModel *model, const RvmStepShape *shape, gboolean all_patches, gboolean profile, GError **error);
void rvm_step_free (RvmStep *step);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmStep, rvm_step_free)

/* Bytes of device memory that rvm_step_new() takes for activations and scratch; the weights, gradients and moments come on top. */
guint64 rvm_step_predict_memory (const RvmConfig *config, const RvmStepShape *shape);
/* For batches of @samples samples of a recipe. */
RvmStepShape rvm_step_shape_of_recipe (const RvmRecipe *recipe, guint samples);
/* @shape with the sizes of @batch. */
RvmStepShape rvm_step_shape_of_batch (const RvmStepShape *shape, const RvmBatch *batch);
/* Floating point operations of a forward pass; a step is counted as three times that. */
guint64 rvm_step_count_flops (const RvmStep *step, guint sources);

RvmQueue *rvm_step_get_queue (RvmStep *step);
RvmGradients *rvm_step_get_gradients (RvmStep *step);

/* Recomputes what is derived from the weights. Called after they have changed, and before the first pass. */
void rvm_step_refresh (RvmStep *step);

/* Forward only. A NaN or infinite loss is RVM_ERROR_MODEL. */
gboolean rvm_step_forward (RvmStep *step, const RvmBatch *batch, RvmLoss *loss, GError **error);
/* Forward and backward; adds to the gradients (rvm_gradients_reset() empties them). The gradients are
 * those of the loss times @weight: of the reconstruction and, in a batch with @match and more than one source frame, of places and
 * objects. */
gboolean rvm_step_backward (RvmStep *step, const RvmBatch *batch, double weight, RvmLoss *loss, GError **error);

/* Following passes sum the accumulated gradients over all processes. @reduce: (nullable) (transfer none). */
void rvm_step_set_reduce (RvmStep *step, RvmReduce *reduce);

/* Reads results of the last pass. @predicted: (samples, targets, 1 + rows * columns, patch * patch * 3), the class token's rows undefined.
 * @features: (samples, states that the decoder sees, 1 + rows * columns, dim). Either may be NULL. */
gboolean rvm_step_read (RvmStep *step, float *predicted, float *features, GError **error);

G_END_DECLS
