/* RvmActivations: every buffer that the forward pass of encoder and core writes, for one grid and batch. Private to model/.
 *
 * The forward pass writes through this table and does not know how it was made: in inference layers share memory, with `keep` each has
 * its own (training, and the tests that look at intermediate values). */
#pragma once

#include "core.h"
#include "encoder.h"
#include "model_private.h"

G_BEGIN_DECLS

typedef struct {
  RvmBuffer *pixels;                  /* uint8 (batch, rows * patch, columns * patch, 3) */
  RvmBuffer *patches;                 /* (batch * tokens, patch * patch * 3) */
  RvmBuffer *tokens;                  /* (batch * tokens, dim) */
  RvmEncoderBlockActivations *blocks; /* per encoder layer */
  RvmBuffer *encoded;                 /* (batch * tokens, dim) */
  RvmCoreActivations core;
  GPtrArray *buffers;                 /* owns all of the above */
} RvmActivations;

RvmActivations *rvm_activations_new (const RvmModel *model, guint batch, guint rows, guint columns, gboolean keep, GError **error);
void rvm_activations_free (RvmActivations *activations);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmActivations, rvm_activations_free)

G_END_DECLS
