/* The recurrent core (docs/model.md, section 3): gates, candidate, state update. Private to model/ and trainer/.
 *
 *   u, r = sigmoid (e Wi + s Ws)      gates, no biases
 *   c    = r * LN (s)                 epsilon 1e-4, scale only
 *   h    = T (e, c)                   cross_transformer.h
 *   s'   = (1 - u) s + u h            the next state and the frame's features
 */
#pragma once

#include "cross_transformer.h"

G_BEGIN_DECLS

#define RVM_STATE_NORM_EPSILON 1e-4f

typedef struct {
  guint dim;
  RvmLinear *input_gates; /* (dim, 2 dim): update | reset */
  RvmLinear *state_gates; /* (dim, 2 dim): update | reset */
  RvmBuffer *state_scale; /* (dim) */
  RvmCrossTransformer transformer;
} RvmCore;

/* The activations of the core; borrowed. Rows are batch * tokens. */
typedef struct {
  RvmBuffer *gates;       /* (rows, 2 dim): u | r */
  RvmBuffer *context;     /* (rows, dim): c */
  RvmBuffer *update_mean; /* (rows): mean of u over the channels */
  RvmCrossTransformerActivations transformer; /* its out is h */
} RvmCoreActivations;

void rvm_core_load (RvmCore *core, RvmLoader *loader, const RvmTransformerConfig *config);
void rvm_core_clear (RvmCore *core);

/* @encoded (rows, dim), @state (rows, dim) -> @next (rows, dim), which may be @state. @encoded is not written. */
void rvm_core_forward (RvmQueue *queue, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, RvmBuffer *next, guint batch, guint tokens);

guint64 rvm_core_flops (const RvmCore *core, guint64 tokens);

G_END_DECLS
