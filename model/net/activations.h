/* Every buffer that the forward pass writes. Private to model/ and trainer/.
 *
 * The forward pass writes through these tables and does not know how they were made: in inference the layers share one set of working
 * memory, in training (and in the tests that look at intermediate values) each keeps its own. */
#pragma once

#include "arena.h"
#include "core.h"
#include "decoder.h"
#include "encoder.h"
#include "model/model_private.h"

G_BEGIN_DECLS

/* Memory that all layers of a pass may share, as no two need it at once. */
typedef struct {
  RvmBuffer *x, *norm, *qkv, *attended, *log_sum_exp, *hidden;
} RvmWorkspace;

/* @rows: the most that any layer has; the widths are the widest of the two stacks. */
RvmWorkspace rvm_workspace_take (RvmArena *arena, const RvmTransformerConfig *a, const RvmTransformerConfig *b, guint64 rows);

/* Each fills a table. @workspace NULL: every layer keeps what it writes. @rows is batch * tokens. */
void rvm_encoder_activations_take (RvmEncoderActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows);
void rvm_cross_transformer_activations_take (RvmCrossTransformerActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows, guint64 context_rows);
void rvm_core_activations_take (RvmCoreActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows);

/* What one frame of a stream writes. */
typedef struct {
  RvmBuffer *pixels;  /* uint8 (rows * patch, columns * patch, 3) */
  RvmBuffer *patches; /* (tokens, patch * patch * 3) */
  RvmBuffer *tokens;  /* (tokens, dim) */
  RvmEncoderActivations encoder;
  RvmCoreActivations core;
} RvmActivations;

void rvm_activations_take (RvmActivations *act, RvmArena *arena, const RvmConfig *config, guint rows, guint columns, gboolean keep);

G_END_DECLS
