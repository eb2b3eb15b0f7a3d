/* The recurrent core: one frame folded into the state. */
#include "core.h"

static RvmGemmWeights *
load_gates (RvmLoader *loader, guint dim, const char *input)
{
  RvmGemmWeights *gates = rvm_loader_begin_linear (loader, dim, 2 * dim, FALSE);

  rvm_loader_add_linear (loader, gates, "rnn_core/%s_update", input);
  rvm_loader_add_linear (loader, gates, "rnn_core/%s_reset", input);
  return rvm_loader_end_linear (loader, gates);
}

void
rvm_core_load (RvmCore *core, RvmLoader *loader, const RvmTransformerConfig *config)
{
  core->dim = config->dim;
  core->input_gates = load_gates (loader, config->dim, "input");
  core->state_gates = load_gates (loader, config->dim, "state");
  core->state_scale = rvm_loader_vector (loader, "rnn_core/state_layer_norm/scale");
  rvm_cross_transformer_load (&core->transformer, loader, config, "rnn_core/transformer");
}

void
rvm_core_clear (RvmCore *core)
{
  g_clear_pointer (&core->input_gates, rvm_gemm_weights_free);
  g_clear_pointer (&core->state_gates, rvm_gemm_weights_free);
  g_clear_pointer (&core->state_scale, rvm_buffer_unref);
  rvm_cross_transformer_clear (&core->transformer);
}

void
rvm_core_forward (RvmQueue *queue, const RvmCore *core, const RvmBuffer *encoded, const RvmBuffer *state,
    const RvmCoreActivations *act, RvmBuffer *next, guint batch, guint tokens)
{
  const guint rows = batch * tokens, dim = core->dim;

  rvm_gemm (queue, core->input_gates, &(RvmGemm){ .a = encoded, .a_stride = dim, .out = act->gates, .out_stride = 2 * dim, .m = rows });
  rvm_gemm (queue, core->state_gates,
      &(RvmGemm){ .a = state, .a_stride = dim, .out = act->gates, .out_stride = 2 * dim, .m = rows, .residual = act->gates });
  rvm_gate_context (queue, act->gates, state, core->state_scale, act->context, act->update_mean, rows, dim, RVM_STATE_NORM_EPSILON);
  rvm_cross_transformer_forward (queue, &core->transformer, encoded, act->context, &act->transformer,
      &(RvmCrossShape){ .contexts = batch, .pictures = 1, .rows = tokens, .context_rows = tokens });
  rvm_state_update (queue, act->gates, state, act->transformer.out, next, rows, dim);
}

guint64
rvm_core_flops (const RvmCore *core, guint64 tokens)
{
  return 2 * 2 * tokens * core->dim * 2 * core->dim + rvm_cross_transformer_flops (&core->transformer,
          &(RvmCrossShape){ .contexts = 1, .pictures = 1, .rows = tokens, .context_rows = tokens });
}
