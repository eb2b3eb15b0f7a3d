/* The gates of the core, the update of its state, and the backward pass of both. */
#include <math.h>

#include "checkcl.h"
#include "kernels/ops/gate.h"
#include "kernels/ops/gate_backward.h"
#include "kernels/ops/norm_backward.h"
#include "reference.h"

static void
check_gates (guint rows, guint dim)
{
  check_case ("rows %u, dim %u", rows, dim);

  const gsize count = (gsize) rows * dim;
  g_autofree float *gates = check_random (2 * count, 20), *state = check_random (count, 1), *scale = check_random (dim, 1);
  g_autofree float *candidate = check_random (count, 1);
  g_autofree double *context = g_new (double, count), *mean = g_new (double, rows), *next = g_new (double, count);
  g_autoptr (RvmBuffer) g = check_upload (gates, 2 * count), s = check_upload (state, count), sc = check_upload (scale, dim);
  g_autoptr (RvmBuffer) c = check_upload (candidate, count), out = check_output (count), means = check_output (rows), updated = check_output (count);
  const RvmTensor opened = rvm_tensor (g, rows, 2 * dim), old = rvm_tensor (s, rows, dim);

  reference_gates (gates, state, scale, candidate, context, mean, next, rows, dim, 1e-4);
  rvm_gate_context (check_queue, opened, old, sc, rvm_tensor (out, rows, dim), rvm_tensor (means, rows, 1), 1e-4f);
  rvm_state_update (check_queue, opened, old, rvm_tensor (c, rows, dim), rvm_tensor (updated, rows, dim));
  check_compare ("context", out, context, count, 2e-6);
  check_compare ("mean of the update gate", means, mean, rows, 2e-6);
  check_compare ("new state", updated, next, count, 2e-6);
}

/* Both halves of the gated core around its transformer: context and new state. */
typedef struct {
  guint rows, dim;
  float *gates, *state, *scale, *candidate, *r_context, *r_next;
} Gates;

static double
gates_loss (gconstpointer data)
{
  const Gates *g = data;
  const gsize count = (gsize) g->rows * g->dim;
  g_autofree double *context = g_new (double, count), *next = g_new (double, count), *mean = g_new (double, g->rows);

  reference_gates (g->gates, g->state, g->scale, g->candidate, context, mean, next, g->rows, g->dim, 1e-4);
  return check_weigh (g->r_context, context, count) + check_weigh (g->r_next, next, count);
}

static void
check_gradients (guint rows, guint dim)
{
  check_case ("backward, rows %u, dim %u", rows, dim);

  const gsize count = (gsize) rows * dim;
  Gates g = {
    rows, dim, check_random (2 * count, 2), check_random (count, 2), check_random (dim, 2), check_random (count, 2), check_random (count, 1),
    check_random (count, 1),
  };
  g_autofree float *opened = g_new (float, 2 * count);
  g_autoptr (RvmBuffer) gates = NULL, state = check_upload (g.state, count), scale = check_upload (g.scale, dim);
  g_autoptr (RvmBuffer) candidate = check_upload (g.candidate, count), dnext = check_upload (g.r_next, count);
  g_autoptr (RvmBuffer) dcontext = check_upload (g.r_context, count), dcandidate = check_upload (NULL, count);
  g_autoptr (RvmBuffer) dgates = check_upload (NULL, 2 * count), dscale = check_upload (NULL, dim);
  g_autoptr (RvmBuffer) scratch = check_upload (NULL, rvm_norm_backward_scratch (rows, dim));
  const RvmTensor dstate = rvm_tensor (dnext, rows, dim);

  for (gsize i = 0; i < 2 * count; i++)
    opened[i] = 1 / (1 + exp (-(double) g.gates[i]));
  gates = check_upload (opened, 2 * count);
  rvm_state_update_backward (check_queue,
      &(RvmStateUpdateBackward){
          .gates = rvm_tensor (gates, rows, 2 * dim), .state = rvm_tensor (state, rows, dim), .candidate = rvm_tensor (candidate, rows, dim),
          .dnext = dstate, .dcandidate = rvm_tensor (dcandidate, rows, dim), .dstate = dstate, .dgates = rvm_tensor (dgates, rows, 2 * dim),
      });
  rvm_gate_context_backward (check_queue,
      &(RvmGateContextBackward){
          .gates = rvm_tensor (gates, rows, 2 * dim), .state = rvm_tensor (state, rows, dim), .dcontext = rvm_tensor (dcontext, rows, dim),
          .scale = scale, .dgates = rvm_tensor (dgates, rows, 2 * dim), .dstate = dstate, .dscale = dscale, .scratch = scratch, .epsilon = 1e-4f,
      });
  check_gradient_buffer ("gates", g.gates, dgates, 2 * count, gates_loss, &g);
  check_gradient_buffer ("state", g.state, dnext, count, gates_loss, &g);
  check_gradient_buffer ("candidate", g.candidate, dcandidate, count, gates_loss, &g);
  check_gradient_buffer ("scale", g.scale, dscale, dim, gates_loss, &g);
  g_free (g.gates);
  g_free (g.state);
  g_free (g.scale);
  g_free (g.candidate);
  g_free (g.r_context);
  g_free (g.r_next);
}

static void
check (gboolean quick)
{
  static const guint dims[] = { 1, 3, 17, 48, 65, 384 };

  for (guint i = 0; i < (quick ? 3 : G_N_ELEMENTS (dims)); i++) {
    check_gates (1, dims[i]);
    check_gates (4, dims[i]);
  }
}

static void
check_backward (gboolean quick)
{
  static const guint sizes[][2] = { { 1, 3 }, { 7, 7 }, { 67, 67 }, { 13, 133 }, { 131, 26 } };

  for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (sizes)); i++)
    check_gradients (sizes[i][0], sizes[i][1]);
}

const CheckOp check_gate = { "gate", check, check_backward, NULL };
