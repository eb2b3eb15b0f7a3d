/* Classifiers in closed form. That which is learned from all clips is where the gradient of weighted ridge regression vanishes, with each part of the
 * vectors brought to the same variance; and the scores of a clip that was held out are those of a classifier that is made of the other clips alone. */
#include <check.h>
#include <math.h>

#include "tests/run_cases.h"
#include "trainer/readout/folds.h"

enum { CLIPS = 14, CLASSES = 3, GROUPS = 2, FRAMES = 12, ROWS = 2, COLUMNS = 3, DIM = 3, STRIDE = 4, PARTS = 3 };

static const RvmWindowShape shape = { .window = 3, .stride = STRIDE, .slots = 4, .reference = RVM_REFERENCE_FIRST, .changes = TRUE };

static RvmSequence *
make_sequence (GRand *rand)
{
  RvmClipFeatures *features = g_new0 (RvmClipFeatures, 1);
  const gsize values = (gsize) FRAMES * (1 + ROWS * COLUMNS) * DIM;
  RvmSequence *sequence;

  *features = (RvmClipFeatures){ .n = FRAMES, .tokens = 1 + ROWS * COLUMNS, .dim = DIM };
  features->frame = g_new (guint, FRAMES);
  features->state = g_new (float, values);
  for (guint i = 0; i < FRAMES; i++)
    features->frame[i] = i;
  for (gsize i = 0; i < values; i++)
    features->state[i] = g_rand_double_range (rand, -1, 1);
  sequence = rvm_sequence_new (features, RVM_SEQUENCE_STATE, ROWS, COLUMNS);
  rvm_clip_features_free (features);
  return sequence;
}

/* Clips of classes that are not all of one size. @kept: the group that is kept, or GROUPS for all. */
static RvmLabelled *
make_clips (guint kept)
{
  RvmLabelled *labelled = rvm_labelled_new ();

  for (guint i = 0; i < CLIPS; i++)
    if (kept == GROUPS || i % GROUPS == kept) {
      g_autofree char *group = g_strdup_printf ("%u", i % GROUPS);
      RvmLabelledClip *clip;

      rvm_labelled_add (labelled, "clip", NULL, group);
      clip = g_ptr_array_index (labelled->clips, labelled->clips->len - 1);
      clip->label = i < 4 ? 0 : i < 8 ? 1 : 2;
    }
  while (labelled->classes->len < CLASSES)
    g_ptr_array_add (labelled->classes, g_strdup ("class"));
  return labelled;
}

static GPtrArray *
make_sequences (guint kept)
{
  GPtrArray *sequences = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_sequence_free);
  GRand *rand = g_rand_new_with_seed (7);

  for (guint i = 0; i < CLIPS; i++) {
    RvmSequence *sequence = make_sequence (rand);

    if (kept == GROUPS || i % GROUPS == kept)
      g_ptr_array_add (sequences, sequence);
    else
      rvm_sequence_free (sequence);
  }
  g_rand_free (rand);
  return sequences;
}

/* Where the parts of a vector begin, and its length. */
static void
find_parts (GPtrArray *sequences, gsize start[PARTS + 1])
{
  const gsize cells = rvm_folds_get_cells (sequences) * rvm_folds_get_cells (sequences);

  start[0] = 0;
  start[1] = shape.slots * cells * DIM;
  start[2] = start[1] + shape.slots * cells;
  start[3] = start[2] + shape.slots * cells;
}

static float *
make_vector (GPtrArray *sequences, guint clip, guint phase)
{
  return rvm_sequence_make_vector (g_ptr_array_index (sequences, clip), RVM_POOLS - 1, &shape, phase);
}

START_TEST (the_gradient_vanishes)
{
  g_autoptr (RvmLabelled) labelled = make_clips (GROUPS);
  g_autoptr (RvmFolds) folds = rvm_folds_new (labelled);
  g_autoptr (GPtrArray) sequences = make_sequences (GROUPS);
  double bias[CLASSES], weights[2 * CLIPS], variance[PARTS] = { 0 }, spread = 0;
  g_autofree float *kernel = rvm_folds_fit_all (folds, labelled, sequences, &shape, bias);
  float *vectors[2 * CLIPS];
  guint counts[CLASSES] = { 0 };
  gsize start[PARTS + 1];

  find_parts (sequences, start);
  for (guint i = 0; i < 2 * CLIPS; i++) {
    vectors[i] = make_vector (sequences, i % CLIPS, i < CLIPS ? 0 : STRIDE / 2);
    counts[((RvmLabelledClip *) g_ptr_array_index (labelled->clips, i % CLIPS))->label]++;
  }
  for (guint i = 0; i < 2 * CLIPS; i++)
    weights[i] = 2.0 * CLIPS / CLASSES / counts[((RvmLabelledClip *) g_ptr_array_index (labelled->clips, i % CLIPS))->label];
  for (guint part = 0; part < PARTS; part++) {
    double weighted = 0;

    for (gsize v = start[part]; v < start[part + 1]; v++) {
      double mean = 0, weighted_mean = 0;

      for (guint i = 0; i < 2 * CLIPS; i++) {
        mean += vectors[i][v] / (2.0 * CLIPS);
        weighted_mean += weights[i] * vectors[i][v] / (2.0 * CLIPS);
      }
      for (guint i = 0; i < 2 * CLIPS; i++) {
        variance[part] += pow (vectors[i][v] - mean, 2) / (2.0 * CLIPS);
        weighted += weights[i] * pow (vectors[i][v] - weighted_mean, 2) / (2.0 * CLIPS);
      }
    }
    spread += weighted / variance[part];
  }
  for (guint c = 0; c < CLASSES; c++) {
    double residual[2 * CLIPS], sum = 0;

    for (guint i = 0; i < 2 * CLIPS; i++) {
      double score = bias[c];

      for (gsize v = 0; v < start[PARTS]; v++)
        score += (double) vectors[i][v] * kernel[v * CLASSES + c];
      residual[i] = weights[i] * (score - (((RvmLabelledClip *) g_ptr_array_index (labelled->clips, i % CLIPS))->label == c));
      sum += residual[i];
    }
    ck_assert_double_le (fabs (sum), 1e-4);
    for (guint part = 0; part < PARTS; part++)
      for (gsize v = start[part]; v < start[part + 1]; v++) {
        double gradient = 0.003 * spread * 2 * CLIPS * variance[part] * kernel[v * CLASSES + c];

        for (guint i = 0; i < 2 * CLIPS; i++)
          gradient += residual[i] * vectors[i][v];
        ck_assert_double_le (fabs (gradient), 1e-4);
      }
  }
  for (guint i = 0; i < 2 * CLIPS; i++)
    g_free (vectors[i]);
}
END_TEST

START_TEST (a_clip_that_is_held_out_teaches_nothing)
{
  g_autoptr (RvmLabelled) labelled = make_clips (GROUPS);
  g_autoptr (RvmFolds) folds = rvm_folds_new (labelled);
  g_autoptr (GPtrArray) sequences = make_sequences (GROUPS);
  g_autoptr (RvmHeldOut) held_out = rvm_folds_measure (folds, labelled, sequences, TRUE, sequences, &shape);
  gsize start[PARTS + 1];

  ck_assert_uint_eq (folds->n, GROUPS);
  find_parts (sequences, start);
  for (guint out = 0; out < GROUPS; out++) {
    g_autoptr (RvmLabelled) others = make_clips (1 - out);
    g_autoptr (GPtrArray) of_others = make_sequences (1 - out);
    g_autoptr (RvmFolds) any = rvm_folds_new (others);
    double bias[CLASSES];
    g_autofree float *kernel = rvm_folds_fit_all (any, others, of_others, &shape, bias);

    for (guint i = out; i < CLIPS; i += GROUPS) {
      g_autofree float *vector = make_vector (sequences, i, 0), *random = make_vector (sequences, i, folds->phase[i] * STRIDE / RVM_FOLDS_PHASES);

      for (guint c = 0; c < CLASSES; c++) {
        double score = bias[c], of_random = bias[c];

        for (gsize v = 0; v < start[PARTS]; v++) {
          score += (double) vector[v] * kernel[v * CLASSES + c];
          of_random += (double) random[v] * kernel[v * CLASSES + c];
        }
        ck_assert_double_eq_tol (held_out->scores[i * CLASSES + c], score, 1e-5);
        ck_assert_double_eq_tol (held_out->other_scores[i * CLASSES + c], score, 1e-5);
        ck_assert_double_eq_tol (held_out->random_scores[i * CLASSES + c], of_random, 1e-5);
      }
    }
  }
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("folds");

  tcase_add_test (tests, the_gradient_vanishes);
  tcase_add_test (tests, a_clip_that_is_held_out_teaches_nothing);
  return run_cases ("folds", tests);
}
