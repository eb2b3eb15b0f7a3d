/* The maps of all targets are in memory, as the features are. */
#include "dense_windows.h"

#include <string.h>

#include "kernels/cl/flags.h"

struct _RvmDenseWindows {
  RvmDenseWindowsOptions options;
  guint n_used, places, channels;
  gsize values;            /* of a state */
  float **map, **weight;   /* (targets): (places, channels) and (places) */
  guint *order, at;        /* targets that are used, in a random order, and how many of them have been drawn */
  RvmDrawnWindow *windows;         /* (batch) of this step, sorted by n */
  guint *start; /* the first window of each batch, and behind the last */
  float *batch_features, *batch_target, *batch_weight;
  guint32 *age;
};

static const RvmTarget *
get_target (const RvmDenseWindows *windows, guint i)
{
  return g_ptr_array_index (windows->options.targets->targets, i);
}

static gboolean
read_maps (RvmDenseWindows *windows, GError **error)
{
  const RvmDenseWindowsOptions *options = &windows->options;

  for (guint i = 0; i < options->targets->targets->len; i++) {
    g_autoptr (RvmTargetMap) map = rvm_target_load (get_target (windows, i), options->kind, error);

    if (map == NULL)
      return FALSE;
    windows->map[i] = g_new (float, (gsize) windows->places * windows->channels);
    windows->weight[i] = g_new (float, windows->places);
    rvm_target_map_divide (map, options->kind, options->rows * options->block, options->columns * options->block, windows->map[i],
                           windows->weight[i]);
  }
  return TRUE;
}

RvmDenseWindows *
rvm_dense_windows_new (const RvmDenseWindowsOptions *options, GError **error)
{
  g_autoptr (RvmDenseWindows) windows = g_new0 (RvmDenseWindows, 1);
  const RvmClipFeatures *features = g_ptr_array_index (options->features, 0);
  const guint n = options->targets->targets->len;

  windows->options = *options;
  windows->channels = options->kind->depth ? 1 : options->kind->classes;
  windows->places = options->rows * options->columns * options->block * options->block;
  windows->values = (gsize) features->tokens * features->dim;
  windows->map = g_new0 (float *, n);
  windows->weight = g_new0 (float *, n);
  windows->order = g_new (guint, n);
  rvm_dense_windows_use (windows, options->features, options->encoder, options->used);
  windows->windows = g_new0 (RvmDrawnWindow, options->batch);
  windows->start = g_new (guint, options->batch + 1);
  windows->batch_features = g_new (float, windows->values *options->batch *options->window);
  windows->batch_target = g_new (float, (gsize) options->batch * windows->places * windows->channels);
  windows->batch_weight = g_new (float, (gsize) options->batch * windows->places);
  windows->age = g_new (guint32, (gsize) options->batch * options->window);
  return read_maps (windows, error) ? g_steal_pointer (&windows) : NULL;
}

void
rvm_dense_windows_use (RvmDenseWindows *windows, GPtrArray *features, gboolean encoder, const gboolean *used)
{
  windows->options.features = features;
  windows->options.encoder = encoder;
  windows->n_used = 0;
  for (guint i = 0; i < windows->options.targets->targets->len; i++)
    if (used == NULL || used[i])
      windows->order[windows->n_used++] = i;
  windows->at = windows->n_used;
}

void
rvm_dense_windows_free (RvmDenseWindows *windows)
{
  if (windows == NULL)
    return;
  for (guint i = 0; i < windows->options.targets->targets->len; i++) {
    g_free (windows->map[i]);
    g_free (windows->weight[i]);
  }
  g_free (windows->map);
  g_free (windows->weight);
  g_free (windows->order);
  g_free (windows->windows);
  g_free (windows->start);
  g_free (windows->batch_features);
  g_free (windows->batch_target);
  g_free (windows->batch_weight);
  g_free (windows->age);
  g_free (windows);
}

static guint
count_states (const RvmDenseWindows *windows, guint target)
{
  return MIN (get_target (windows, target)->frame / windows->options.stride + 1, windows->options.window);
}

static guint
draw (gpointer user_data, GRand *rand)
{
  RvmDenseWindows *windows = user_data;
  const guint batch = windows->options.batch;

  for (guint w = 0; w < batch; w++) {
    RvmDrawnWindow *window = &windows->windows[w];

    window->item = rvm_training_draw_item (rand, windows->order, windows->n_used, &windows->at);
    window->n = rvm_training_draw_ages (rand, count_states (windows, window->item), TRUE, window->age);
  }
  return rvm_training_make_batches (windows->windows, batch, windows->start);
}

static const float *
get_state (const RvmDenseWindows *windows, guint target, guint age)
{
  const RvmTarget *of = get_target (windows, target);
  const RvmClipFeatures *features = g_ptr_array_index (windows->options.features, of->clip);
  const gsize frame = of->frame - age * windows->options.stride;

  return (windows->options.encoder ? features->encoded : features->state) + frame * windows->values;
}

/* @number: in the batch. Weights of all places of a step sum to about 1. */
static void
fill (RvmDenseWindows *windows, guint target, const guint32 *ages, guint n, guint number)
{
  const gsize outputs = (gsize) windows->places * windows->channels;
  float *weight = windows->batch_weight + (gsize) number * windows->places;

  for (guint s = 0; s < n; s++)
    memcpy (windows->batch_features + ((gsize) number * n + s) * windows->values, get_state (windows, target, ages[s]),
            windows->values * sizeof (float));
  memcpy (windows->batch_target + number * outputs, windows->map[target], outputs * sizeof (float));
  for (guint p = 0; p < windows->places; p++)
    weight[p] = windows->weight[target][p] / ((float) windows->places * windows->options.batch);
  memmove (windows->age + (gsize) number * n, ages, n * sizeof *ages);
}

static void
get (gpointer user_data, guint number, RvmReadoutBatch *batch)
{
  RvmDenseWindows *windows = user_data;
  const guint first = windows->start[number], n = windows->start[number + 1] - first, states = windows->windows[first].n;

  for (guint w = 0; w < n; w++)
    fill (windows, windows->windows[first + w].item, windows->windows[first + w].age, states, w);
  *batch = (RvmReadoutBatch){ n, states, windows->batch_features, windows->batch_target, windows->batch_weight, windows->age };
}

RvmWindowSource
rvm_dense_windows_get_source (RvmDenseWindows *windows)
{
  return (RvmWindowSource){ draw, get, windows };
}

void
rvm_dense_windows_take (RvmDenseWindows *windows, guint target, RvmReadoutBatch *batch)
{
  const guint n = count_states (windows, target);

  for (guint s = 0; s < n; s++)
    windows->windows[0].age[s] = n - 1 - s;
  fill (windows, target, windows->windows[0].age, n, 0);
  *batch = (RvmReadoutBatch){ 1, n, windows->batch_features, windows->batch_target, windows->batch_weight, windows->age };
}

const float *
rvm_dense_windows_get_state (const RvmDenseWindows *windows, guint target)
{
  return get_state (windows, target, 0);
}

const float *
rvm_dense_windows_get_map (const RvmDenseWindows *windows, guint target, const float **weight)
{
  *weight = windows->weight[target];
  return windows->map[target];
}

void
rvm_dense_windows_average (const RvmDenseWindows *windows, float *map, float *constant)
{
  const guint channels = windows->channels;
  g_autofree double *sums = g_new0 (double, (gsize) windows->places * channels), *all = g_new0 (double, channels);
  g_autofree double *weights = g_new0 (double, windows->places);
  double weight = 0;

  for (guint u = 0; u < windows->n_used; u++)
    for (guint p = 0; p < windows->places; p++) {
      const guint target = windows->order[u];
      const double counts = windows->weight[target][p];

      weights[p] += counts;
      weight += counts;
      for (guint c = 0; counts > 0 && c < channels; c++) {
        sums[(gsize) p * channels + c] += counts * windows->map[target][(gsize) p * channels + c];
        all[c] += counts * windows->map[target][(gsize) p * channels + c];
      }
    }
  for (guint c = 0; c < channels; c++)
    constant[c] = weight > 0 ? all[c] / weight : 0;
  for (gsize i = 0; i < (gsize) windows->places * channels; i++)
    map[i] = weights[i / channels] > 0 ? sums[i] / weights[i / channels] : constant[i % channels];
}
