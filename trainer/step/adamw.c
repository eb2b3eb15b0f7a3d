/* An update computes the global norm, then launches AdamW for each array. */
#include "adamw.h"

#include <math.h>

#include "kernels/error.h"
#include "model/net/arena.h"

struct _RvmOptimiser {
  RvmOptimiserOptions options;
  RvmGradients *gradients;
  RvmQueue *queue;
  RvmArena *arena;
  RvmBuffer **moments; /* (arrays, 2) */
  RvmBuffer *squares;
  guint n_squares;
  float *squares_host;
  guint64 step;
};

RvmOptimiser *
rvm_optimiser_new (RvmGradients *gradients, const RvmOptimiserOptions *options, RvmQueue *queue, GError **error)
{
  g_autoptr (RvmOptimiser) optimiser = g_new0 (RvmOptimiser, 1);
  const guint n = rvm_gradients_get_n_arrays (gradients);

  optimiser->options = *options;
  optimiser->gradients = gradients;
  optimiser->queue = queue;
  optimiser->arena = rvm_arena_new (rvm_queue_get_device (queue));
  optimiser->moments = rvm_arena_alloc0 (optimiser->arena, 2 * n * sizeof *optimiser->moments);
  for (guint i = 0; i < n; i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (gradients, i);

    optimiser->n_squares += rvm_square_sums_count (array->count);
    for (guint which = 0; which < 2; which++)
      optimiser->moments[2 * i + which] = rvm_arena_take (optimiser->arena, array->count, 1, "moments");
  }
  optimiser->squares = rvm_arena_take (optimiser->arena, optimiser->n_squares, 1, "gradient norms");
  optimiser->squares_host = g_new (float, optimiser->n_squares);
  if (!rvm_arena_finish (optimiser->arena, error))
    return NULL;
  for (guint i = 0; i < 2 * n; i++)
    rvm_queue_zero (queue, optimiser->moments[i], 0, rvm_buffer_get_size (optimiser->moments[i]));
  return rvm_queue_finish (queue, error) ? g_steal_pointer (&optimiser) : NULL;
}

void
rvm_optimiser_free (RvmOptimiser *optimiser)
{
  if (optimiser == NULL)
    return;
  g_clear_pointer (&optimiser->arena, rvm_arena_free);
  g_free (optimiser->squares_host);
  g_free (optimiser);
}

guint64
rvm_optimiser_get_step (const RvmOptimiser *optimiser)
{
  return optimiser->step;
}

void
rvm_optimiser_set_step (RvmOptimiser *optimiser, guint64 step)
{
  optimiser->step = step;
}

static gboolean
measure_norm (RvmOptimiser *optimiser, double *norm, GError **error)
{
  const guint n = rvm_gradients_get_n_arrays (optimiser->gradients);
  double sum = 0;
  guint at = 0;

  for (guint i = 0; i < n; i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (optimiser->gradients, i);

    if (array->is_frozen)
      continue;
    rvm_square_sums (optimiser->queue, array->gradient, array->count, optimiser->squares, at);
    at += rvm_square_sums_count (array->count);
  }
  if (at)
    rvm_queue_read (optimiser->queue, optimiser->squares, 0, optimiser->squares_host, at * sizeof (float));
  if (!rvm_queue_finish (optimiser->queue, error))
    return FALSE;
  for (guint i = 0; i < at; i++)
    sum += optimiser->squares_host[i];
  *norm = sqrt (sum);
  if (!isfinite (*norm)) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_MODEL, "a gradient has become NaN or infinite");
    return FALSE;
  }
  return TRUE;
}

gboolean
rvm_optimiser_update (RvmOptimiser *optimiser, double rate, double *norm, GError **error)
{
  const RvmOptimiserOptions *options = &optimiser->options;
  const guint n = rvm_gradients_get_n_arrays (optimiser->gradients);
  RvmAdamW adamw = { .rate = rate, .b1 = options->b1, .b2 = options->b2, .epsilon = options->epsilon, .clip = 1 };

  if (!measure_norm (optimiser, norm, error))
    return FALSE;
  if (options->clip_norm > 0 && *norm > options->clip_norm)
    adamw.clip = options->clip_norm / *norm;
  adamw.step = ++optimiser->step;
  for (guint i = 0; i < n; i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (optimiser->gradients, i);

    if (array->is_frozen)
      continue;
    adamw.decay = array->is_kernel ? options->decay : 0;
    rvm_adamw (optimiser->queue, array->value, array->gradient, optimiser->moments[2 * i], optimiser->moments[2 * i + 1], array->count,
        &adamw);
  }
  return rvm_queue_finish (optimiser->queue, error);
}

RvmBuffer *
rvm_optimiser_find_moment (const RvmOptimiser *optimiser, const RvmBuffer *value, guint which)
{
  for (guint i = 0; i < rvm_gradients_get_n_arrays (optimiser->gradients); i++)
    if (rvm_gradients_get_array (optimiser->gradients, i)->value == value)
      return optimiser->moments[2 * i + which];
  return NULL;
}
