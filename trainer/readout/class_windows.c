/* Features of a window are (states, 1 + cells * cells, dim): the mean of all patches, then those of the cells, the oldest state first. Windows of a step
 * are sorted by their number of states, which is rounded down to a few, so that there are few batches. */
#include "class_windows.h"

#include <string.h>

enum { FINEST = 2 /* of the pools of a sequence: 4 x 4 cells */ };

#define HIDDEN 0.15       /* of the tokens, in all states of a window */
#define SMOOTHING 0.2     /* of labels */
#define MIXED 0.3         /* of the windows */

struct _RvmClassWindows {
  RvmClassWindowsOptions options;
  guint classes, n_used, pool, tokens;
  GRand *rand;           /* of the training; (transfer none) */
  guint *order, at;      /* clips that are used, in a random order, and how many of them have been drawn */
  double *class_weight;  /* (classes) */
  RvmDrawnWindow *windows;       /* (batch) of this step, sorted by n */
  guint *start;          /* the first window of each batch, and behind the last */
  float *features, *target, *weight;
  guint32 *age;
};

guint
rvm_class_windows_get_cells (const RvmSequence *sequence)
{
  return rvm_sequence_get_cells (MIN (FINEST, sequence->pools - 1));
}

static guint
get_label (const RvmClassWindows *windows, guint clip)
{
  return ((RvmLabelledClip *) g_ptr_array_index (windows->options.labelled->clips, clip))->label;
}

RvmClassWindows *
rvm_class_windows_new (const RvmClassWindowsOptions *options)
{
  RvmClassWindows *windows = g_new0 (RvmClassWindows, 1);
  const guint clips = options->labelled->clips->len, batch = MAX (options->batch, 1);
  const RvmSequence *sequence = g_ptr_array_index (options->sequences, 0);
  const guint cells = rvm_class_windows_get_cells (sequence);
  gsize values;
  g_autofree guint *count = NULL;
  guint present = 0;

  windows->pool = MIN (FINEST, sequence->pools - 1);
  windows->tokens = 1 + cells * cells;
  values = (gsize) windows->tokens * options->dim * options->window;
  windows->options = *options;
  windows->options.batch = batch;
  windows->classes = options->labelled->classes->len;
  windows->order = g_new (guint, clips);
  windows->class_weight = g_new0 (double, windows->classes);
  count = g_new0 (guint, windows->classes);
  for (guint i = 0; i < clips; i++)
    if (options->used == NULL || options->used[i]) {
      windows->order[windows->n_used++] = i;
      present += count[get_label (windows, i)]++ == 0;
    }
  for (guint c = 0; c < windows->classes; c++)
    windows->class_weight[c] = count[c] ? (double) windows->n_used / (present * count[c]) : 0;
  windows->at = windows->n_used;
  windows->windows = g_new0 (RvmDrawnWindow, batch);
  windows->start = g_new (guint, batch + 1);
  windows->features = g_new (float, values *batch);
  windows->target = g_new (float, (gsize) batch * windows->classes);
  windows->weight = g_new (float, batch);
  windows->age = g_new (guint32, (gsize) batch * options->window);
  return windows;
}

void
rvm_class_windows_free (RvmClassWindows *windows)
{
  if (windows == NULL)
    return;
  g_free (windows->order);
  g_free (windows->class_weight);
  g_free (windows->windows);
  g_free (windows->start);
  g_free (windows->features);
  g_free (windows->target);
  g_free (windows->weight);
  g_free (windows->age);
  g_free (windows);
}

/* The frames of a phase at the end of @sequence: their number, at most the window's, and where they are. A clip that is shorter than a phase has those of
 * the first. */
static guint
find_states (const RvmClassWindows *windows, const RvmSequence *sequence, guint phase, guint frames[RVM_TRAINING_STATES])
{
  const RvmClassWindowsOptions *options = &windows->options;
  const guint rest = phase * options->stride / options->phases;
  guint n = 0;

  for (guint i = sequence->n; i-- > 0 && n < options->window;)
    if (sequence->frame[i] % options->stride == rest)
      frames[n++] = i; /* the newest first */
  return n || phase == 0 ? n : find_states (windows, sequence, 0, frames);
}

static guint
draw (gpointer user_data, GRand *rand)
{
  RvmClassWindows *windows = user_data;
  const guint batch = windows->options.batch;

  for (guint w = 0; w < batch; w++) {
    RvmDrawnWindow *window = &windows->windows[w];
    guint frames[RVM_TRAINING_STATES], there;

    window->item = rvm_training_draw_item (rand, windows->order, windows->n_used, &windows->at);
    window->phase = g_rand_int_range (rand, 0, windows->options.phases);
    there = find_states (windows, g_ptr_array_index (windows->options.sequences, window->item), window->phase, frames);
    window->n = rvm_training_draw_ages (rand, there, FALSE, window->age);
  }
  windows->rand = rand; /* for get(), which draws mixtures and hidden tokens */
  return rvm_training_make_batches (windows->windows, batch, windows->start);
}

/* @features: (states, tokens, dim) of the states of @ages. */
static void
copy_states (const RvmClassWindows *windows, const RvmSequence *sequence, guint phase, const guint32 *ages, guint n, float *features)
{
  const gsize dim = windows->options.dim, cells = dim * (windows->tokens - 1);
  guint frames[RVM_TRAINING_STATES];
  const guint there = find_states (windows, sequence, phase, frames);

  for (guint s = 0; s < n; s++) {
    const gsize frame = frames[MIN (ages[s], there - 1)];

    memcpy (features, sequence->values[0] + frame * dim, dim * sizeof *features);
    memcpy (features + dim, sequence->values[windows->pool] + frame * cells, cells * sizeof *features);
    features += dim + cells;
  }
}

/* Zeros for some tokens, in all states. */
static void
hide_tokens (const RvmClassWindows *windows, guint states, float *features)
{
  const gsize dim = windows->options.dim;

  for (guint token = 0; token < windows->tokens; token++)
    if (g_rand_double (windows->rand) < HIDDEN)
      for (guint s = 0; s < states; s++)
        memset (features + ((gsize) s * windows->tokens + token) * dim, 0, dim * sizeof *features);
}

/* Adds the class of a window, as a share of the target. */
static void
add_target (const RvmClassWindows *windows, guint clip, double share, float *target, float *weight)
{
  const guint label = get_label (windows, clip);

  for (guint c = 0; c < windows->classes; c++)
    target[c] += share * ((1 - SMOOTHING) * (c == label) + SMOOTHING / windows->classes);
  *weight += share * windows->class_weight[label] / windows->options.batch;
}

static void
get (gpointer user_data, guint number, RvmReadoutBatch *batch)
{
  RvmClassWindows *windows = user_data;
  const guint first = windows->start[number], n = windows->start[number + 1] - first, states = windows->windows[first].n;
  const gsize values = (gsize) states * windows->tokens * windows->options.dim;
  g_autofree float *other = g_new (float, values);

  memset (windows->target, 0, (gsize) n * windows->classes * sizeof (float));
  memset (windows->weight, 0, n * sizeof (float));
  for (guint w = 0; w < n; w++) {
    const RvmDrawnWindow *window = &windows->windows[first + w], *second = &windows->windows[first + g_rand_int_range (windows->rand, 0, n)];
    const double share = g_rand_double (windows->rand) < MIXED ? 1 - 0.5 * g_rand_double (windows->rand) : 1;
    float *features = windows->features + w * values;

    copy_states (windows, g_ptr_array_index (windows->options.sequences, window->item), window->phase, window->age, states, features);
    add_target (windows, window->item, share, windows->target + w * windows->classes, windows->weight + w);
    if (share < 1) {
      copy_states (windows, g_ptr_array_index (windows->options.sequences, second->item), second->phase, second->age, states, other);
      for (gsize i = 0; i < values; i++)
        features[i] = share * features[i] + (1 - share) * other[i];
      add_target (windows, second->item, 1 - share, windows->target + w * windows->classes, windows->weight + w);
    }
    hide_tokens (windows, states, features);
    memcpy (windows->age + (gsize) w * states, window->age, states * sizeof *windows->age);
  }
  *batch = (RvmReadoutBatch){ n, states, windows->features, windows->target, windows->weight, windows->age };
}

RvmWindowSource
rvm_class_windows_get_source (RvmClassWindows *windows)
{
  return (RvmWindowSource){ draw, get, windows };
}

void
rvm_class_windows_take (RvmClassWindows *windows, const RvmSequence *sequence, guint phase, RvmReadoutBatch *batch)
{
  guint frames[RVM_TRAINING_STATES];
  const guint n = find_states (windows, sequence, phase, frames);

  for (guint s = 0; s < n; s++)
    windows->age[s] = n - 1 - s;
  copy_states (windows, sequence, phase, windows->age, n, windows->features);
  memset (windows->target, 0, windows->classes * sizeof (float));
  windows->weight[0] = 0;
  *batch = (RvmReadoutBatch){ 1, n, windows->features, windows->target, windows->weight, windows->age };
}
