/* Every buffer that the forward pass writes. Private to model/ and trainer/.
 *
 * The forward pass writes to the buffers in these tables, and does not depend on how they were allocated. In inference the layers share one set of
 * buffers. In training, and in tests that look at intermediate values, each layer has its own. */
#pragma once

#include "arena.h"
#include "core.h"
#include "decoder.h"
#include "encoder.h"
#include "model/model_private.h"

G_BEGIN_DECLS

/* Memory that all layers of a pass may share, because no two of them need it at the same time. */
typedef struct {
  RvmBuffer *x, *norm, *qkv, *attended, *log_sum_exp, *hidden;
} RvmWorkspace;

/* For two stacks of layers, @a and @b. @rows: the most that any layer has. */
RvmWorkspace rvm_workspace_take (RvmArena *arena, const RvmTransformerConfig *a, const RvmTransformerConfig *b, guint64 rows);

/* Each fills in a table. @workspace: shared by the layers; NULL: every layer has its own memory. @rows: batch * tokens. */
void rvm_encoder_activations_take (RvmEncoderActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows);
void rvm_cross_transformer_activations_take (RvmCrossTransformerActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows, guint64 context_rows);
void rvm_core_activations_take (RvmCoreActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows);

/* The activations of one frame of a stream. */
typedef struct {
  RvmBuffer *pixels;  /* uint8 (rows * patch, columns * patch, 3) */
  RvmBuffer *patches; /* (tokens, patch * patch * 3) */
  RvmBuffer *tokens;  /* (tokens, dim) */
  RvmEncoderActivations encoder;
  RvmCoreActivations core;
} RvmActivations;

void rvm_activations_take (RvmActivations *act, RvmArena *arena, const RvmConfig *config, guint rows, guint columns, gboolean keep);

G_END_DECLS
