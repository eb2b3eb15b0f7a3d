/* Allocation of activations, shared between layers or not. */
#include "activations.h"

RvmWorkspace
rvm_workspace_take (RvmArena *arena, const RvmTransformerConfig *a, const RvmTransformerConfig *b, guint64 rows)
{
  const guint64 dim = MAX (a->dim, b->dim);

  return (RvmWorkspace){
    .x = rvm_arena_take (arena, rows, dim, "tokens"),
    .norm = rvm_arena_take (arena, rows, dim, "normalised tokens"),
    .qkv = rvm_arena_take (arena, rows, 3 * dim, "queries, keys and values"),
    .attended = rvm_arena_take (arena, rows, dim, "attention output"),
    .log_sum_exp = rvm_arena_take (arena, rows, MAX (a->heads, b->heads), "log-sum-exp of attention"),
    .hidden = rvm_arena_take (arena, rows, MAX (a->mlp, b->mlp), "hidden layer"),
  };
}

static void
take_attention (RvmAttentionActivations *act, RvmArena *arena, const RvmTransformerConfig *config, const RvmWorkspace *workspace,
    guint64 rows, guint64 qkv_width)
{
  if (workspace) {
    *act = (RvmAttentionActivations){
      workspace->norm, workspace->qkv, workspace->attended, workspace->log_sum_exp, workspace->x,
    };
    return;
  }
  act->norm = rvm_arena_take (arena, rows, config->dim, "normalised tokens");
  act->qkv = rvm_arena_take (arena, rows, qkv_width, "queries, keys and values");
  act->attended = rvm_arena_take (arena, rows, config->dim, "attention output");
  act->log_sum_exp = rvm_arena_take (arena, rows, config->heads, "log-sum-exp of attention");
  act->out = rvm_arena_take (arena, rows, config->dim, "tokens");
}

static void
take_mlp (RvmMlpActivations *act, RvmArena *arena, const RvmTransformerConfig *config, const RvmWorkspace *workspace, guint64 rows)
{
  if (workspace) {
    *act = (RvmMlpActivations){ workspace->norm, NULL, workspace->hidden, workspace->x };
    return;
  }
  act->norm = rvm_arena_take (arena, rows, config->dim, "normalised tokens");
  act->pre_gelu = rvm_arena_take (arena, rows, config->mlp, "hidden layer");
  act->hidden = rvm_arena_take (arena, rows, config->mlp, "hidden layer");
  act->out = rvm_arena_take (arena, rows, config->dim, "tokens");
}

void
rvm_encoder_activations_take (RvmEncoderActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows)
{
  act->blocks = rvm_arena_alloc0 (arena, config->layers * sizeof *act->blocks);
  for (guint i = 0; i < config->layers; i++) {
    take_attention (&act->blocks[i].attention, arena, config, workspace, rows, 3 * (guint64) config->dim);
    take_mlp (&act->blocks[i].mlp, arena, config, workspace, rows);
  }
  act->out = rvm_arena_take (arena, rows, config->dim, "encoder output");
}

void
rvm_cross_transformer_activations_take (RvmCrossTransformerActivations *act, RvmArena *arena, const RvmTransformerConfig *config,
    const RvmWorkspace *workspace, guint64 rows, guint64 context_rows)
{
  act->keys_values = rvm_arena_take (arena, context_rows, 2 * (guint64) config->dim * config->layers, "keys and values of the context");
  act->blocks = rvm_arena_alloc0 (arena, config->layers * sizeof *act->blocks);
  for (guint i = 0; i < config->layers; i++) {
    take_attention (&act->blocks[i].cross, arena, config, workspace, rows, config->dim);
    take_mlp (&act->blocks[i].mlp, arena, config, workspace, rows);
    take_attention (&act->blocks[i].self, arena, config, workspace, rows, 3 * (guint64) config->dim);
  }
  act->out = workspace ? workspace->norm : rvm_arena_take (arena, rows, config->dim, "normalised tokens");
}

void
rvm_core_activations_take (RvmCoreActivations *act, RvmArena *arena, const RvmTransformerConfig *config, const RvmWorkspace *workspace,
    guint64 rows)
{
  act->gates = rvm_arena_take (arena, rows, 2 * (guint64) config->dim, "gates");
  act->context = rvm_arena_take (arena, rows, config->dim, "context");
  act->update_mean = rvm_arena_take (arena, rows, 1, "mean gates");
  rvm_cross_transformer_activations_take (&act->transformer, arena, config, workspace, rows, rows);
}

void
rvm_activations_take (RvmActivations *act, RvmArena *arena, const RvmConfig *config, guint rows, guint columns, gboolean keep)
{
  const guint64 patches = (guint64) rows * columns, pixels = (guint64) config->patch * config->patch * 3;
  RvmWorkspace shared, *workspace = NULL;

  act->pixels = rvm_arena_take_bytes (arena, patches * pixels, "pixels");
  act->patches = rvm_arena_take (arena, patches + 1, pixels, "patches");
  if (!keep) {
    shared = rvm_workspace_take (arena, &config->encoder, &config->core, patches + 1);
    workspace = &shared;
  }
  act->tokens = workspace ? workspace->x : rvm_arena_take (arena, patches + 1, config->encoder.dim, "tokens");
  rvm_encoder_activations_take (&act->encoder, arena, &config->encoder, workspace, patches + 1);
  rvm_core_activations_take (&act->core, arena, &config->core, workspace, patches + 1);
}
