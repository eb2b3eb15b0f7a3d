/* A ring of pooled states. */
#include "pooled_window.h"

#include <string.h>

void
rvm_pooled_window_init (RvmPooledWindow *window, guint patches, guint dim, guint size)
{
  *window = (RvmPooledWindow){ .patches = patches, .dim = dim, .size = size, .slots = g_new (double, (gsize) size * dim) };
}

void
rvm_pooled_window_clear (RvmPooledWindow *window)
{
  g_clear_pointer (&window->slots, g_free);
}

void
rvm_pooled_window_reset (RvmPooledWindow *window)
{
  window->n = window->next = 0;
}

void
rvm_pooled_window_push (RvmPooledWindow *window, const float *features)
{
  double *pooled = window->slots + (gsize) window->next * window->dim;

  memset (pooled, 0, window->dim * sizeof *pooled);
  for (guint p = 1; p <= window->patches; p++)
    for (guint c = 0; c < window->dim; c++)
      pooled[c] += features[(gsize) p * window->dim + c];
  for (guint c = 0; c < window->dim; c++)
    pooled[c] /= window->patches;
  window->next = (window->next + 1) % window->size;
  window->n = MIN (window->n + 1, window->size);
}

const double *
rvm_pooled_window_get (const RvmPooledWindow *window, guint age)
{
  const guint slot = (window->next + window->size - 1 - MIN (age, window->n - 1)) % window->size;

  return window->slots + (gsize) slot * window->dim;
}

void
rvm_pooled_window_average (const RvmPooledWindow *window, double *mean)
{
  memset (mean, 0, window->dim * sizeof *mean);
  for (guint age = 0; age < window->n; age++)
    for (guint c = 0; c < window->dim; c++)
      mean[c] += rvm_pooled_window_get (window, age)[c];
  for (guint c = 0; c < window->dim; c++)
    mean[c] /= window->n;
}
