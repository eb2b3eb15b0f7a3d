/* Loading and forward pass of the recurrent core: one frame updates the state. */
#include "core.h"

#include "kernels/ops/gate.h"

static RvmLinear *
load_gates (RvmLoader *loader, RvmLayer update, RvmLayer reset)
{
  const RvmSite sites[] = { { RVM_PART_CORE, update, 0 }, { RVM_PART_CORE, reset, 0 } };

  return rvm_loader_linear (loader, sites, G_N_ELEMENTS (sites), FALSE);
}

void
rvm_core_load (RvmCore *core, RvmLoader *loader, const RvmTransformerConfig *config)
{
  core->dim = config->dim;
  core->input_gates = load_gates (loader, RVM_LAYER_INPUT_UPDATE, RVM_LAYER_INPUT_RESET);
  core->state_gates = load_gates (loader, RVM_LAYER_STATE_UPDATE, RVM_LAYER_STATE_RESET);
  core->state_scale = rvm_loader_vector (loader, (RvmSite){ RVM_PART_CORE, RVM_LAYER_STATE_NORM, 0 }, RVM_ROLE_SCALE);
  rvm_cross_transformer_load (&core->transformer, loader, config, RVM_PART_CORE);
}

void
rvm_core_clear (RvmCore *core)
{
  g_clear_pointer (&core->input_gates, rvm_linear_free);
  g_clear_pointer (&core->state_gates, rvm_linear_free);
  g_clear_pointer (&core->state_scale, rvm_buffer_unref);
  rvm_cross_transformer_clear (&core->transformer);
}

void
rvm_core_forward (RvmQueue *queue, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, RvmBuffer *next, guint batch, guint tokens)
{
  const guint rows = batch * tokens, dim = core->dim;
  const RvmTensor gates = rvm_tensor (act->gates, rows, 2 * dim), old = rvm_tensor (state, rows, dim);

  rvm_linear_forward (queue, core->input_gates, rvm_tensor (encoded, rows, dim), gates, NULL);
  rvm_linear_forward (queue, core->state_gates, old, gates, &(RvmEpilogue){ .residual = gates });
  rvm_gate_context (queue, gates, old, core->state_scale, rvm_tensor (act->context, rows, dim), rvm_tensor (act->update_mean, rows, 1),
      RVM_STATE_NORM_EPSILON);
  rvm_cross_transformer_forward (queue, &core->transformer, encoded, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = batch, .pictures = 1, .rows = tokens, .context_rows = tokens });
  rvm_state_update (queue, gates, old, rvm_tensor (act->transformer.out, rows, dim), rvm_tensor (next, rows, dim));
}

guint64
rvm_core_flops (const RvmCore *core, guint64 tokens)
{
  return 2 * 2 * tokens * core->dim * 2 * core->dim + rvm_cross_transformer_flops (&core->transformer,
          &(RvmCrossShape){ .contexts = 1, .pictures = 1, .rows = tokens, .context_rows = tokens });
}
