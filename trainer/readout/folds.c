/* Of each clip two vectors are learned from, the second of the frames half way between those of the first, unless there are very many clips. The first is
 * what is measured, and then one of a random phase. */
#include "folds.h"

#include <string.h>

#include "measures.h"

enum {
  MOST_FOLDS = 10,
  CLIP_FOLDS = 5,  /* where all clips are of one group */
  INNER_FOLDS = 4, /* where one group is left to choose with */
  MANY_CLIPS = 1500,
  /* One and the same for all that is measured on the same clips. */
  PHASE_SEED = 1,
  DRAWING_SEED = 2,
};

/* The first of equals is taken: the stiffest. */
static const RvmClassifierMethod methods[] = {
  { .nearest_mean = TRUE }, { .ridge = 1 },     { .ridge = 0.3 },   { .ridge = 0.1 },    { .ridge = 0.03 },
  { .ridge = 0.01 },        { .ridge = 0.003 }, { .ridge = 0.001 }, { .ridge = 0.0001 },
};

static const RvmLabelledClip *
get_clip (const RvmLabelled *labelled, guint i)
{
  return g_ptr_array_index (labelled->clips, i);
}

RvmFolds *
rvm_folds_new (const RvmLabelled *labelled)
{
  RvmFolds *folds = g_new0 (RvmFolds, 1);
  g_autofree guint *seen = g_new0 (guint, labelled->classes->len);
  GRand *rand = g_rand_new_with_seed (PHASE_SEED);

  folds->mixed = labelled->groups->len == 1;
  folds->n = folds->mixed ? CLIP_FOLDS : MIN (labelled->groups->len, MOST_FOLDS);
  folds->of_clip = g_new (guint, labelled->clips->len);
  folds->phase = g_new (guint, labelled->clips->len);
  for (guint i = 0; i < labelled->clips->len; i++) {
    const RvmLabelledClip *clip = get_clip (labelled, i);

    folds->of_clip[i] = (folds->mixed ? seen[clip->label]++ : clip->group) % folds->n;
    folds->phase[i] = g_rand_int_range (rand, 0, RVM_FOLDS_PHASES);
  }
  g_rand_free (rand);
  return folds;
}

void
rvm_folds_free (RvmFolds *folds)
{
  if (folds == NULL)
    return;
  g_free (folds->of_clip);
  g_free (folds->phase);
  g_free (folds);
}

void
rvm_held_out_free (RvmHeldOut *held_out)
{
  if (held_out == NULL)
    return;
  g_free (held_out->scores);
  g_free (held_out->random_scores);
  g_free (held_out->other_scores);
  g_free (held_out);
}

/* The vectors of all clips over one pool: those to learn from, and behind them those only to measure. */
typedef struct {
  guint n, clips, learn; /* vectors; clips; the first vectors, which may be learned from */
  GPtrArray *vectors;
  gsize length;
  double *products;
  guint *label;         /* (n) */
  double *coefficients; /* (n, classes), scratch */
  double *bias;
} Pool;

static void
pool_clear (Pool *pool)
{
  g_ptr_array_unref (pool->vectors);
  g_free (pool->products);
  g_free (pool->label);
  g_free (pool->coefficients);
  g_free (pool->bias);
}

enum { FIRST, BETWEEN, RANDOM, OTHERS, SETS }; /* vector v is of clip v mod clips, and of set v / clips */

static guint
get_phase (const RvmFolds *folds, guint set, guint clip, guint stride)
{
  return set == BETWEEN ? stride / 2 : set == RANDOM ? folds->phase[clip] * stride / RVM_FOLDS_PHASES : 0;
}

static void
pool_init (Pool *pool, const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, GPtrArray *others, guint sets,
           const RvmWindowShape *shape, guint which)
{
  const guint clips = labelled->clips->len;

  pool->clips = clips;
  pool->vectors = g_ptr_array_new_with_free_func (g_free);
  for (guint set = 0; set < sets; set++)
    for (guint i = 0; i < clips; i++)
      g_ptr_array_add (pool->vectors, rvm_sequence_make_vector (g_ptr_array_index (set == OTHERS ? others : sequences, i), which, shape,
                                                                get_phase (folds, set, i, shape->stride), &pool->length));
  pool->n = pool->vectors->len;
  pool->learn = clips > MANY_CLIPS ? clips : 2 * clips;
  pool->products = g_new0 (double, (gsize) pool->n * pool->n);
  rvm_classifier_multiply ((const float *const *) pool->vectors->pdata, pool->n, pool->learn, pool->length, pool->products);
  pool->label = g_new (guint, pool->n);
  for (guint v = 0; v < pool->n; v++)
    pool->label[v] = get_clip (labelled, v % clips)->label;
  pool->coefficients = g_new (double, (gsize) pool->n * labelled->classes->len);
  pool->bias = g_new (double, labelled->classes->len);
}

static void
fit (Pool *pool, guint classes, const gboolean *clip_is_used, const RvmClassifierMethod *method)
{
  g_autofree gboolean *train = g_new0 (gboolean, pool->n);

  for (guint v = 0; v < pool->learn; v++)
    train[v] = clip_is_used[v % pool->clips];
  rvm_classifier_fit (&(RvmClassifierData){ pool->n, classes, pool->products, pool->label }, train, method, pool->coefficients, pool->bias);
}

static void
score (const Pool *pool, guint classes, guint vector, double *scores)
{
  rvm_classifier_score (&(RvmClassifierData){ pool->n, classes, pool->products, pool->label }, pool->products + (gsize) vector * pool->n,
                        pool->coefficients, pool->bias, scores);
}

/* Scores of all clips of which @used is TRUE, each by a classifier that has not seen those that have the same @inner. */
static void
score_within (Pool *pool, guint classes, const gboolean *used, const guint *inner, guint folds, const RvmClassifierMethod *method,
              double *scores)
{
  g_autofree gboolean *train = g_new (gboolean, pool->clips);

  for (guint fold = 0; fold < folds; fold++) {
    guint to_learn = 0, to_score = 0;

    for (guint i = 0; i < pool->clips; i++) {
      train[i] = used[i] && inner[i] != fold;
      to_learn += train[i];
      to_score += used[i] && inner[i] == fold;
    }
    if (to_learn == 0 || to_score == 0)
      continue;
    fit (pool, classes, train, method);
    for (guint i = 0; i < pool->clips; i++)
      if (used[i] && inner[i] == fold)
        score (pool, classes, i, scores + (gsize) i * classes);
  }
}

static double
get_mean_class (const double *scores, const gboolean *used, const guint *label, guint clips, guint classes)
{
  g_autofree double *kept = g_new (double, (gsize) clips *classes);
  g_autofree guint *labels = g_new (guint, clips);
  g_autoptr (RvmMeasures) measures = NULL;
  guint n = 0;

  for (guint i = 0; i < clips; i++)
    if (used[i]) {
      memcpy (kept + (gsize) n * classes, scores + (gsize) i * classes, classes * sizeof (double));
      labels[n++] = label[i];
    }
  measures = rvm_measures_new (kept, labels, n, classes);
  return measures->mean_class;
}

/* The choice that does best among the clips that are used. */
static RvmChoice
choose (Pool *pools, guint n_pools, const RvmFolds *folds, guint classes, const gboolean *used)
{
  const guint clips = pools->clips;
  g_autofree guint *inner = g_memdup2 (folds->of_clip, clips * sizeof (guint)), *seen = g_new0 (guint, classes);
  g_autofree gboolean *present = g_new0 (gboolean, folds->n);
  g_autofree double *scores = g_new0 (double, (gsize) clips *classes);
  guint n_folds = folds->n, left = 0;
  double best = -1;
  RvmChoice choice = { 0 };

  for (guint i = 0; i < clips; i++)
    if (used[i])
      present[inner[i]] = TRUE;
  for (guint fold = 0; fold < folds->n; fold++)
    left += present[fold];
  if (left < 2) {
    n_folds = INNER_FOLDS;
    for (guint i = 0; i < clips; i++)
      if (used[i])
        inner[i] = seen[pools->label[i]]++ % INNER_FOLDS;
  }
  for (guint m = 0; m < G_N_ELEMENTS (methods); m++)
    for (guint p = 0; p < n_pools; p++) {
      double value;

      score_within (&pools[p], classes, used, inner, n_folds, &methods[m], scores);
      value = get_mean_class (scores, used, pools->label, clips, classes);
      if (value > best + 1e-9) {
        best = value;
        choice = (RvmChoice){ p, methods[m] };
      }
    }
  return choice;
}

RvmHeldOut *
rvm_folds_measure (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, gboolean random, GPtrArray *others,
                   const RvmWindowShape *shape)
{
  const guint clips = labelled->clips->len, classes = labelled->classes->len;
  const guint n_pools = ((RvmSequence *) g_ptr_array_index (sequences, 0))->pools;
  const gsize values = (gsize) clips * classes;
  RvmHeldOut *held_out = g_new0 (RvmHeldOut, 1);
  g_autofree gboolean *used = g_new (gboolean, clips);
  Pool pools[RVM_POOLS];

  for (guint p = 0; p < n_pools; p++)
    pool_init (&pools[p], folds, labelled, sequences, others, others ? SETS : random ? OTHERS : RANDOM, shape, p);
  held_out->scores = g_new0 (double, values);
  held_out->random_scores = random ? g_new0 (double, values) : NULL;
  held_out->other_scores = others ? g_new0 (double, values) : NULL;
  for (guint fold = 0; fold < folds->n; fold++) {
    RvmChoice choice;
    Pool *pool;

    for (guint i = 0; i < clips; i++)
      used[i] = folds->of_clip[i] != fold;
    choice = choose (pools, n_pools, folds, classes, used);
    pool = &pools[choice.pool];
    fit (pool, classes, used, &choice.method);
    for (guint i = 0; i < clips; i++)
      if (!used[i]) {
        score (pool, classes, i, held_out->scores + (gsize) i * classes);
        if (random)
          score (pool, classes, RANDOM * clips + i, held_out->random_scores + (gsize) i * classes);
        if (others)
          score (pool, classes, OTHERS * clips + i, held_out->other_scores + (gsize) i * classes);
      }
  }
  for (guint i = 0; i < clips; i++)
    used[i] = TRUE;
  held_out->choice = choose (pools, n_pools, folds, classes, used);
  for (guint p = 0; p < n_pools; p++)
    pool_clear (&pools[p]);
  return held_out;
}

/* At most @n clips of each class among those that are not held out in @fold; the others are not used. */
static void
draw_few (const RvmFolds *folds, const RvmLabelled *labelled, guint fold, guint n, GRand *rand, gboolean *used)
{
  const guint clips = labelled->clips->len;
  g_autofree guint *order = g_new0 (guint, clips), *taken = g_new0 (guint, labelled->classes->len);

  for (guint i = 0; i < clips; i++) {
    const guint j = g_rand_int_range (rand, 0, i + 1);

    order[i] = order[j];
    order[j] = i;
  }
  for (guint i = 0; i < clips; i++) {
    const guint clip = order[i];

    used[clip] = folds->of_clip[clip] != fold && taken[get_clip (labelled, clip)->label]++ < n;
  }
}

/* The mean over classes of one drawing. @scores: scratch. */
static double
measure_few (const RvmFolds *folds, const RvmLabelled *labelled, Pool *pools, guint n_pools, guint n, GRand *rand, double *scores)
{
  const guint clips = labelled->clips->len, classes = labelled->classes->len;
  g_autofree gboolean *used = g_new (gboolean, clips);

  for (guint fold = 0; fold < folds->n; fold++) {
    RvmChoice choice;
    Pool *pool;

    draw_few (folds, labelled, fold, n, rand, used);
    choice = choose (pools, n_pools, folds, classes, used);
    pool = &pools[choice.pool];
    fit (pool, classes, used, &choice.method);
    for (guint i = 0; i < clips; i++)
      if (folds->of_clip[i] == fold)
        score (pool, classes, i, scores + (gsize) i * classes);
  }
  for (guint i = 0; i < clips; i++)
    used[i] = TRUE;
  return get_mean_class (scores, used, pools->label, clips, classes);
}

gboolean
rvm_folds_measure_few (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, const RvmFewClips *few,
                       double *mean_class)
{
  const guint n_pools = ((RvmSequence *) g_ptr_array_index (sequences, 0))->pools;
  g_autofree double *scores = g_new (double, (gsize) labelled->clips->len * labelled->classes->len);
  GRand *rand = g_rand_new_with_seed (DRAWING_SEED);
  gboolean stopped = FALSE;
  Pool pools[RVM_POOLS];

  for (guint p = 0; p < n_pools; p++)
    pool_init (&pools[p], folds, labelled, sequences, NULL, RANDOM, shape, p);
  for (guint k = 0; k < few->n_numbers; k++)
    for (guint d = 0; !stopped && d < few->drawings; d++) {
      mean_class[k * few->drawings + d] = measure_few (folds, labelled, pools, n_pools, few->numbers[k], rand, scores);
      stopped = !few->tell (few->user_data);
    }
  for (guint p = 0; p < n_pools; p++)
    pool_clear (&pools[p]);
  g_rand_free (rand);
  return !stopped;
}

float *
rvm_folds_fit_all (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, const RvmChoice *choice, gsize *length,
                   double *bias)
{
  const guint classes = labelled->classes->len;
  g_autofree gboolean *used = g_new (gboolean, labelled->clips->len);
  g_autofree double *sum = g_new (double, classes);
  float *kernel;
  Pool pool;

  pool_init (&pool, folds, labelled, sequences, NULL, RANDOM, shape, choice->pool);
  for (guint i = 0; i < pool.clips; i++)
    used[i] = TRUE;
  fit (&pool, classes, used, &choice->method);
  memcpy (bias, pool.bias, classes * sizeof (double));
  kernel = g_new (float, pool.length *classes);
  for (gsize value = 0; value < pool.length; value++) {
    memset (sum, 0, classes * sizeof (double));
    for (guint v = 0; v < pool.learn; v++)
      for (guint c = 0; c < classes; c++)
        sum[c] += pool.coefficients[(gsize) v * classes + c] * ((const float *) pool.vectors->pdata[v])[value];
    for (guint c = 0; c < classes; c++)
      kernel[value * classes + c] = sum[c];
  }
  *length = pool.length;
  pool_clear (&pool);
  return kernel;
}
