#include "attention_training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "trainer/run/initialise.h"
#include "trainer/step/adamw.h"

enum { HEAD_DIM = 64 };

#define DROPPED (1.0 / 6) /* of the states of a window */
#define SHORTENED 0.3     /* of the windows */
#define WHOLE 0.3         /* of the windows, in which no state is missing */


struct _RvmAttentionTraining {
  RvmAttentionOptions options;
  RvmReadout *readout;
  RvmReadoutStep *step;
  RvmOptimiser *optimiser;
  GRand *rand;
};

guint
rvm_attention_training_count_heads (guint width)
{
  guint heads = (width + HEAD_DIM - 1) / HEAD_DIM;

  while (width % heads != 0)
    heads++;
  return heads;
}

static RvmReadout *
make_readout (const RvmAttentionOptions *options, const RvmReadoutInfo *info, GError **error)
{
  const RvmAttentionReadoutConfig config = {
    .dim = options->dim, .window = info->window, .code = options->code, .queries = options->code ? 0 : 1, .outputs = options->outputs,
    .block = { .dim = options->width, .heads = rvm_attention_training_count_heads (options->width), .mlp = options->mlp, .layers = 1 },
  };

  return rvm_initialise_trainable_readout (info, &config, options->seed, options->device, error);
}

RvmAttentionTraining *
rvm_attention_training_new (const RvmAttentionOptions *options, const RvmReadoutInfo *info, GError **error)
{
  const RvmOptimiserOptions moments = { .b1 = 0.9, .b2 = 0.98, .epsilon = 1e-8, .decay = options->decay, .clip_norm = 1 };
  const guint32 seeds[] = { options->seed, options->seed >> 32, 1 };
  g_autoptr (RvmAttentionTraining) training = g_new0 (RvmAttentionTraining, 1);

  training->options = *options;
  training->rand = g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));
  training->readout = make_readout (options, info, error);
  training->step = training->readout ? rvm_readout_step_new (training->readout, &options->shape, error) : NULL;
  if (training->step)
    training->optimiser = rvm_optimiser_new (rvm_readout_step_get_gradients (training->step), &moments,
                                             rvm_readout_step_get_queue (training->step), error);
  return training->optimiser ? g_steal_pointer (&training) : NULL;
}

void
rvm_attention_training_free (RvmAttentionTraining *training)
{
  if (training == NULL)
    return;
  g_clear_pointer (&training->optimiser, rvm_optimiser_free);
  g_clear_pointer (&training->step, rvm_readout_step_free);
  g_clear_pointer (&training->readout, rvm_readout_unref);
  g_rand_free (training->rand);
  g_free (training);
}

guint
rvm_training_draw_item (GRand *rand, guint *items, guint n, guint *at)
{
  if (*at == n) {
    for (guint i = n; i > 1; i--) {
      const guint other = g_rand_int_range (rand, 0, i), kept = items[i - 1];

      items[i - 1] = items[other];
      items[other] = kept;
    }
    *at = 0;
  }
  return items[(*at)++];
}

/* The largest of a few numbers that is not larger than @n. */
static guint
round_down (guint n)
{
  return n <= 6 ? n : n <= 16 ? n / 2 * 2 : n / 8 * 8;
}

guint
rvm_training_draw_ages (GRand *rand, guint most, gboolean newest, guint32 *ages)
{
  guint kept = 0, taken = 0, n, drop;

  if (g_rand_double (rand) < SHORTENED)
    most = g_rand_int_range (rand, MAX (most / 2, 1), most + 1);
  n = most;
  if (g_rand_double (rand) >= WHOLE) {
    for (guint i = 0; i < most; i++)
      kept += g_rand_double (rand) >= DROPPED;
    n = round_down (MAX (kept, 1));
  }
  drop = most - n;
  for (guint age = most; age-- > 0;) { /* each of the remaining ones is as likely to be left out */
    const guint left = newest ? age : age + 1;

    if (drop && g_rand_double (rand) * left < drop)
      drop--;
    else
      ages[taken++] = age;
  }
  return n;
}

static int
compare_windows (gconstpointer a, gconstpointer b)
{
  const RvmDrawnWindow *x = a, *y = b;

  return x->n != y->n ? (x->n < y->n ? -1 : 1) : x->item < y->item ? -1 : x->item > y->item;
}

guint
rvm_training_make_batches (RvmDrawnWindow *windows, guint n_windows, guint *start)
{
  guint batches = 0;

  qsort (windows, n_windows, sizeof *windows, compare_windows);
  for (guint w = 0; w < n_windows; w++)
    if (w == 0 || windows[w].n != windows[w - 1].n)
      start[batches++] = w;
  start[batches] = n_windows;
  return batches;
}

static double
get_rate (const RvmAttentionOptions *options, guint64 step)
{
  const double warm_up = MAX (options->steps / 20.0, 1), rises = MIN ((step + 1) / warm_up, 1);

  return options->rate * rises * (1 + cos (G_PI * step / options->steps)) / 2;
}

gboolean
rvm_attention_training_run (RvmAttentionTraining *training, const RvmWindowSource *source, RvmTrainingProgress *progress, GError **error)
{
  const RvmTrainingJudge *judge = training->options.judge;
  const guint64 steps = training->options.end ? MIN (training->options.end, training->options.steps) : training->options.steps;
  double average = 0;
  gboolean end = FALSE;

  for (guint64 step = 0; step < steps && !end; step++) {
    const guint batches = source->draw (source->user_data, training->rand);
    g_autofree char *text = NULL;
    double loss = 0, norm;

    if (rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; no readout was written, the features are kept");
      return FALSE;
    }
    for (guint b = 0; b < batches; b++) {
      RvmReadoutBatch batch = { 0 };
      double part;

      source->get (source->user_data, b, &batch);
      if (!rvm_readout_step_backward (training->step, &batch, &part, NULL, error))
        return FALSE;
      loss += part;
    }
    if (!rvm_optimiser_update (training->optimiser, get_rate (&training->options, step), &norm, error))
      return FALSE;
    rvm_readout_step_begin (training->step);
    average = step == 0 ? loss : 0.9 * average + 0.1 * loss;
    text = g_strdup_printf ("%s, loss %.3f", progress->what, average);
    rvm_progress_update (progress->progress, ++progress->done, 0, text);
    if (judge && !judge->judge (judge->user_data, step + 1, &end, error))
      return FALSE;
  }
  return TRUE;
}

RvmReadoutStep *
rvm_attention_training_get_step (RvmAttentionTraining *training)
{
  return training->step;
}

GPtrArray *
rvm_attention_training_read (RvmAttentionTraining *training, double factor, GError **error)
{
  const RvmAttentionReadout *net = training->readout->network;
  g_autoptr (GArray) arrays = rvm_attention_readout_list_arrays (&net->config);
  g_autoptr (GPtrArray) read = rvm_readout_arrays_new ();

  for (guint i = 0; i < arrays->len; i++) {
    const RvmArray *array = &g_array_index (arrays, RvmArray, i);
    guint64 elements = 0, bytes;
    float *values;

    rvm_array_get_size (array, &elements, &bytes);
    values = g_new (float, elements);
    rvm_readout_arrays_add (read, array->name, values, array->n_dims, array->dims);
    if (!rvm_readout_step_read (training->step, array->name, values, error))
      return NULL;
    for (guint64 v = 0; v < elements && g_str_has_prefix (array->name, "Dense_1/"); v++)
      values[v] *= factor;
  }
  return g_steal_pointer (&read);
}
