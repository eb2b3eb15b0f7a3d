/* Backward pass of the attention readout (model/readout/attention_readout.h). The rule for gradients is stated in layers.h. The features are fixed, so
 * there is no gradient with respect to them. */
#pragma once

#include "layers.h"
#include "model/readout/attention_readout.h"

G_BEGIN_DECLS

/* Scratch memory. Rows are those of queries, windows * queries; tokens are windows * states * tokens. */
typedef struct {
  RvmBuffer *dout;         /* (rows, P) */
  RvmBuffer *dattended;    /* (rows, P) */
  RvmBuffer *dqueries;     /* (rows, P) */
  RvmBuffer *dkeys_values; /* (tokens, 2 P) */
  RvmBuffer *dnorm;        /* (tokens, C) */
  RvmBuffer *dstates;      /* (tokens, C) */
  RvmBuffer *sums;         /* (windows * states, C) */
  RvmBuffer *dquery, *dplace; /* (queries, P), (queries, mlp); NULL for learned queries */
} RvmReadoutScratch;

/* Takes from @arena what @backward and @scratch need for batches of @most. The caller sets queue and gradients of @backward. */
void rvm_readout_scratch_take (RvmBackward *backward, RvmReadoutScratch *scratch, RvmArena *arena, const RvmAttentionReadoutConfig *config,
    const RvmReadoutShape *most);

/* @doutputs (rows, outputs). @input, @act: of the forward pass. */
void rvm_attention_readout_backward (const RvmBackward *b, const RvmAttentionReadout *readout, const RvmReadoutInput *input,
    const RvmReadoutActivations *act, const RvmReadoutShape *shape, const RvmReadoutScratch *scratch, const RvmBuffer *doutputs);

G_END_DECLS
