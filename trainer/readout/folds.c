/* Of each clip two vectors are learned from, the second of the frames half way between those of the first, unless there are very many clips. The first is
 * what is measured, and then one of a random phase.
 *
 * The parts of a vector weigh the same, whatever their length and unit: each is divided by the root of its variance, summed over its values, among the
 * vectors that are learned from. */
#include "folds.h"

#include <math.h>
#include <string.h>

#include "measures.h"

enum {
  MOST_FOLDS = 10,
  CLIP_FOLDS = 5, /* where all clips are of one group */
  MANY_CLIPS = 1500,
  /* One and the same for all that is measured on the same clips. */
  PHASE_SEED = 1,
  DRAWING_SEED = 2,
  MOST_PARTS = 3, /* window, change and travel */
};

/* One for all clips and features. A penalty that is chosen among the clips that may choose, as a grid to pool over that is, costs more than it gains where
 * these are few (docs/readouts.md). */
#define PENALTY 0.003

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

static guint
get_pool (GPtrArray *sequences)
{
  return ((RvmSequence *) g_ptr_array_index (sequences, 0))->pools - 1;
}

guint
rvm_folds_get_cells (GPtrArray *sequences)
{
  return rvm_sequence_get_cells (get_pool (sequences));
}

/* The vectors of all clips: those to learn from, and behind them those only to measure. */
typedef struct {
  guint n, clips, learn; /* vectors; clips; the first vectors, which may be learned from */
  GPtrArray *vectors;
  guint parts;
  gsize start[MOST_PARTS + 1];     /* of each part in a vector, and the length of a vector */
  double *of_part[MOST_PARTS];     /* (n, n): products of a part of the vectors */
  double scale[MOST_PARTS];        /* of the products of a part, as fit() found it last */
  double *products;                /* (n, n): of the vectors as they were scaled for that */
  guint *label;                    /* (n) */
  double *coefficients;            /* (n, classes), scratch */
  double *bias;
} Vectors;

static void
vectors_clear (Vectors *vectors)
{
  g_ptr_array_unref (vectors->vectors);
  for (guint part = 0; part < vectors->parts; part++)
    g_free (vectors->of_part[part]);
  g_free (vectors->products);
  g_free (vectors->label);
  g_free (vectors->coefficients);
  g_free (vectors->bias);
}

enum { FIRST, BETWEEN, RANDOM, OTHERS, SETS }; /* vector v is of clip v mod clips, and of set v / clips */

static guint
get_phase (const RvmFolds *folds, guint set, guint clip, guint stride)
{
  return set == BETWEEN ? stride / 2 : set == RANDOM ? folds->phase[clip] * stride / RVM_FOLDS_PHASES : 0;
}

static void
multiply_parts (Vectors *vectors)
{
  g_autofree const float **at = g_new (const float *, vectors->n);

  for (guint part = 0; part < vectors->parts; part++) {
    vectors->of_part[part] = g_new0 (double, (gsize) vectors->n * vectors->n);
    for (guint v = 0; v < vectors->n; v++)
      at[v] = (const float *) g_ptr_array_index (vectors->vectors, v) + vectors->start[part];
    rvm_classifier_multiply (at, vectors->n, vectors->learn, vectors->start[part + 1] - vectors->start[part], vectors->of_part[part]);
  }
}

static void
vectors_init (Vectors *vectors, const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, GPtrArray *others, guint sets,
              const RvmWindowShape *shape)
{
  const guint clips = labelled->clips->len, pool = get_pool (sequences);
  const RvmPooledShape pooled = rvm_sequence_get_shape (g_ptr_array_index (sequences, 0), pool, shape);

  *vectors = (Vectors){ .clips = clips, .learn = clips > MANY_CLIPS ? clips : 2 * clips, .parts = shape->changes ? MOST_PARTS : 1 };
  vectors->start[1] = rvm_pooled_count_window (&pooled);
  for (guint part = 1; part < vectors->parts; part++)
    vectors->start[part + 1] = vectors->start[part] + rvm_pooled_count_changes (&pooled);
  vectors->vectors = g_ptr_array_new_with_free_func (g_free);
  for (guint set = 0; set < sets; set++)
    for (guint i = 0; i < clips; i++)
      g_ptr_array_add (vectors->vectors, rvm_sequence_make_vector (g_ptr_array_index (set == OTHERS ? others : sequences, i), pool, shape,
                                                                   get_phase (folds, set, i, shape->stride)));
  vectors->n = vectors->vectors->len;
  multiply_parts (vectors);
  vectors->products = g_new0 (double, (gsize) vectors->n * vectors->n);
  vectors->label = g_new (guint, vectors->n);
  for (guint v = 0; v < vectors->n; v++)
    vectors->label[v] = get_clip (labelled, v % clips)->label;
  vectors->coefficients = g_new (double, (gsize) vectors->n * labelled->classes->len);
  vectors->bias = g_new (double, labelled->classes->len);
}

/* The variance of the vectors in @train of which these are the products, summed over their values. */
static double
measure_variance (const Vectors *vectors, const double *products, const gboolean *train)
{
  double diagonal = 0, sum = 0;
  guint n = 0;

  for (guint i = 0; i < vectors->learn; i++) {
    if (!train[i])
      continue;
    n++;
    diagonal += products[(gsize) i * vectors->n + i];
    for (guint j = 0; j < vectors->learn; j++)
      sum += train[j] ? products[(gsize) i * vectors->n + j] : 0;
  }
  return n ? diagonal / n - sum / n / n : 0;
}

static void
join_parts (Vectors *vectors, const gboolean *train)
{
  const gsize values = (gsize) vectors->n * vectors->n;

  memset (vectors->products, 0, values * sizeof (double));
  for (guint part = 0; part < vectors->parts; part++) {
    const double variance = measure_variance (vectors, vectors->of_part[part], train);

    vectors->scale[part] = variance > 1e-30 ? 1 / variance : 0; /* a part that is the same everywhere says nothing */
    for (gsize i = 0; i < values; i++)
      vectors->products[i] += vectors->scale[part] * vectors->of_part[part][i];
  }
}

static void
fit (Vectors *vectors, guint classes, const gboolean *clip_is_used)
{
  g_autofree gboolean *train = g_new0 (gboolean, vectors->n);

  for (guint v = 0; v < vectors->learn; v++)
    train[v] = clip_is_used[v % vectors->clips];
  join_parts (vectors, train);
  rvm_classifier_fit (&(RvmClassifierData){ vectors->n, classes, vectors->products, vectors->label }, train,
                      &(RvmClassifierMethod){ .ridge = PENALTY }, vectors->coefficients, vectors->bias);
}

static void
score (const Vectors *vectors, guint classes, guint vector, double *scores)
{
  rvm_classifier_score (&(RvmClassifierData){ vectors->n, classes, vectors->products, vectors->label },
                        vectors->products + (gsize) vector * vectors->n, vectors->coefficients, vectors->bias, scores);
}

RvmHeldOut *
rvm_folds_measure (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, gboolean random, GPtrArray *others,
                   const RvmWindowShape *shape)
{
  const guint clips = labelled->clips->len, classes = labelled->classes->len;
  const gsize values = (gsize) clips * classes;
  RvmHeldOut *held_out = g_new0 (RvmHeldOut, 1);
  g_autofree gboolean *used = g_new (gboolean, clips);
  Vectors vectors;

  vectors_init (&vectors, folds, labelled, sequences, others, others ? SETS : random ? OTHERS : RANDOM, shape);
  held_out->scores = g_new0 (double, values);
  held_out->random_scores = random ? g_new0 (double, values) : NULL;
  held_out->other_scores = others ? g_new0 (double, values) : NULL;
  for (guint fold = 0; fold < folds->n; fold++) {
    for (guint i = 0; i < clips; i++)
      used[i] = folds->of_clip[i] != fold;
    fit (&vectors, classes, used);
    for (guint i = 0; i < clips; i++)
      if (!used[i]) {
        score (&vectors, classes, i, held_out->scores + (gsize) i * classes);
        if (random)
          score (&vectors, classes, RANDOM * clips + i, held_out->random_scores + (gsize) i * classes);
        if (others)
          score (&vectors, classes, OTHERS * clips + i, held_out->other_scores + (gsize) i * classes);
      }
  }
  vectors_clear (&vectors);
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
measure_few (const RvmFolds *folds, const RvmLabelled *labelled, Vectors *vectors, guint n, GRand *rand, double *scores)
{
  const guint clips = labelled->clips->len, classes = labelled->classes->len;
  g_autofree gboolean *used = g_new (gboolean, clips);
  g_autoptr (RvmMeasures) measures = NULL;

  for (guint fold = 0; fold < folds->n; fold++) {
    draw_few (folds, labelled, fold, n, rand, used);
    fit (vectors, classes, used);
    for (guint i = 0; i < clips; i++)
      if (folds->of_clip[i] == fold)
        score (vectors, classes, i, scores + (gsize) i * classes);
  }
  measures = rvm_measures_new (scores, vectors->label, clips, classes);
  return measures->mean_class;
}

gboolean
rvm_folds_measure_few (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, const RvmFewClips *few,
                       double *mean_class)
{
  g_autofree double *scores = g_new (double, (gsize) labelled->clips->len * labelled->classes->len);
  GRand *rand = g_rand_new_with_seed (DRAWING_SEED);
  gboolean stopped = FALSE;
  Vectors vectors;

  vectors_init (&vectors, folds, labelled, sequences, NULL, RANDOM, shape);
  for (guint k = 0; k < few->n_numbers; k++)
    for (guint d = 0; !stopped && d < few->drawings; d++) {
      mean_class[k * few->drawings + d] = measure_few (folds, labelled, &vectors, few->numbers[k], rand, scores);
      stopped = !few->tell (few->user_data);
    }
  vectors_clear (&vectors);
  g_rand_free (rand);
  return !stopped;
}

float *
rvm_folds_fit_all (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, double *bias)
{
  const guint classes = labelled->classes->len;
  g_autofree gboolean *used = g_new (gboolean, labelled->clips->len);
  g_autofree double *sum = g_new (double, classes);
  float *kernel;
  Vectors vectors;

  vectors_init (&vectors, folds, labelled, sequences, NULL, RANDOM, shape);
  for (guint i = 0; i < vectors.clips; i++)
    used[i] = TRUE;
  fit (&vectors, classes, used);
  memcpy (bias, vectors.bias, classes * sizeof (double));
  kernel = g_new (float, vectors.start[vectors.parts] * classes);
  for (guint part = 0; part < vectors.parts; part++)
    for (gsize value = vectors.start[part]; value < vectors.start[part + 1]; value++) {
      memset (sum, 0, classes * sizeof (double));
      for (guint v = 0; v < vectors.learn; v++)
        for (guint c = 0; c < classes; c++)
          sum[c] += vectors.coefficients[(gsize) v * classes + c] * ((const float *) vectors.vectors->pdata[v])[value];
      for (guint c = 0; c < classes; c++)
        kernel[value * classes + c] = vectors.scale[part] * sum[c];
    }
  vectors_clear (&vectors);
  return kernel;
}
