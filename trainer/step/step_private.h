/* The contents of RvmStep, for step.c, which runs it, and step_memory.c, which computes its sizes. */
#pragma once

#include "step.h"
#include "trainer/backward/network.h"

struct _RvmStep {
  RvmModel *model;
  RvmStepShape most;  /* the largest batch */
  RvmStepShape shape; /* of the current batch */
  guint tokens, kept, dim; /* of a picture; kept with the class token */
  gboolean all_patches;
  RvmQueue *queue;
  RvmGradients *gradients;
  RvmReduce *reduce; /* NULL: gradients are not summed */
  RvmArena *arena;

  RvmBuffer *position, *table, *decoder_position;
  /* source frames, (samples, sources, ...) */
  RvmBuffer *source, *source_patches, *source_tokens;
  RvmEncoderActivations source_encoder;
  /* per source frame, (samples, ...) */
  RvmBuffer **encoded, **states; /* states[0] is zero, states[t + 1] after frame t */
  RvmCoreActivations *core;
  RvmBuffer *features; /* (samples, sources, ...) */
  /* target frames, (samples, targets, ...) */
  RvmBuffer *target, *visible, *slot, *gap, *visible_rows;
  RvmBuffer *target_patches, *added, *target_tokens;
  RvmEncoderActivations target_encoder;
  RvmDecoderActivations decoder;
  RvmBuffer *row_loss;
  /* places and objects; NULL without a loss of them, object and object_loss also without one of objects */
  RvmBuffer *match, *object, *object_loss, *place_loss, *place_found, *place_scratch, *dfirst, *dlast;
  /* backward pass */
  RvmBackward backward;
  RvmCoreBackward core_backward;
  RvmDecoderBackward decoder_backward;
  RvmBuffer *dpredicted, *dfeatures, *dstate, *dencoded, *dsource, *dtarget, *dtokens;

  guint32 *visible_host, *slot_host, *rows_host;
  float *row_loss_host, *place_loss_host, *object_loss_host;
  guint32 *place_found_host;
  gboolean has_places; /* of the batch at hand */
  guint last_sources;
};

/* The most visible tokens of a target picture, with the class token. */
guint64 rvm_step_most_kept (const RvmStepShape *shape);
/* Checks that a step of this shape is possible: RVM_ERROR_ARGUMENT. */
gboolean rvm_step_check_shape (const RvmConfig *config, const RvmStepShape *shape, GError **error);
/* Takes all buffers of @step from @arena, sized by its shape. The arena also owns the host arrays of buffers. */
void rvm_step_take (RvmStep *step, RvmArena *arena, const RvmConfig *config);
