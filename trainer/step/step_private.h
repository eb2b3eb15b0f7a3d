/* The inside of RvmStep, for step.c, which runs it, and step_memory.c, which says what it needs. */
#pragma once

#include "step.h"
#include "trainer/backward/network.h"

struct _RvmStep {
  RvmModel *model;
  RvmStepShape most;  /* what there is room for */
  RvmStepShape shape; /* of the batch at hand */
  guint tokens, kept, dim; /* of a picture; kept with the class token */
  gboolean all_patches;
  RvmQueue *queue;
  RvmGradients *gradients;
  RvmReduce *reduce; /* NULL: gradients stay as they are */
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
  /* places; NULL without a loss of them */
  RvmBuffer *match, *place_loss, *place_found, *place_scratch, *dfirst, *dlast;
  /* the way back */
  RvmBackward backward;
  RvmCoreBackward core_backward;
  RvmDecoderBackward decoder_backward;
  RvmBuffer *dpredicted, *dfeatures, *dstate, *dencoded, *dsource, *dtarget, *dtokens;

  guint32 *visible_host, *slot_host, *rows_host;
  float *row_loss_host, *place_loss_host;
  guint32 *place_found_host;
  gboolean has_places; /* of the batch at hand */
  guint last_sources;
};

/* Visible tokens of a target picture for which there is room, with the class token. */
guint64 rvm_step_most_kept (const RvmStepShape *shape);
/* Whether a step of this shape can be: RVM_ERROR_ARGUMENT. */
gboolean rvm_step_check_shape (const RvmConfig *config, const RvmStepShape *shape, GError **error);
/* Takes every buffer of @step, of the sizes of its shape, from @arena; host arrays of buffers are the arena's too. */
void rvm_step_take (RvmStep *step, RvmArena *arena, const RvmConfig *config);
