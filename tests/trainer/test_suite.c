/* The measures of the suite on data whose answers are known. */
#include <check.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/evaluate/results.h"
#include "trainer/evaluate/ridge.h"
#include "trainer/evaluate/suite_occlusion.h"
#include "trainer/evaluate/suite_retrieval.h"
#include "trainer/evaluate/vectors.h"

static void
fill (GRand *rng, float *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    values[i] = g_rand_double_range (rng, -1, 1);
}

/* The prediction of ridge regression for one left-out vector, in the primal form and by elimination. */
static guint
classify_directly (const float *values, const guint *label, guint n, guint dim, guint classes, double penalty)
{
  g_autofree double *x = g_new0 (double, n * dim), *a = g_new0 (double, dim * (dim + classes)), *means = g_new0 (double, classes);
  double trace = 0, best = -G_MAXDOUBLE;
  guint winner = 0;

  for (guint c = 0; c < dim; c++) {
    double mean = 0, squares = 0;

    for (guint i = 1; i < n; i++)
      mean += values[i * dim + c] / (n - 1);
    for (guint i = 1; i < n; i++)
      squares += (values[i * dim + c] - mean) * (values[i * dim + c] - mean) / (n - 1);
    for (guint i = 0; i < n; i++)
      x[i * dim + c] = (values[i * dim + c] - mean) / sqrt (squares);
  }
  for (guint i = 1; i < n; i++)
    for (guint c = 0; c < dim; c++)
      trace += x[i * dim + c] * x[i * dim + c];
  for (guint k = 0; k < classes; k++)
    for (guint i = 1; i < n; i++)
      means[k] += (label[i] == k) / (double) (n - 1);
  for (guint r = 0; r < dim; r++) { /* (X^T X + p I | X^T Y) */
    for (guint c = 0; c < dim; c++)
      for (guint i = 1; i < n; i++)
        a[r * (dim + classes) + c] += x[i * dim + r] * x[i * dim + c];
    a[r * (dim + classes) + r] += penalty * trace / (n - 1);
    for (guint k = 0; k < classes; k++)
      for (guint i = 1; i < n; i++)
        a[r * (dim + classes) + dim + k] += x[i * dim + r] * ((label[i] == k) - means[k]);
  }
  for (guint p = 0; p < dim; p++)
    for (guint r = 0; r < dim; r++) {
      const double factor = r == p ? 0 : a[r * (dim + classes) + p] / a[p * (dim + classes) + p];

      for (guint c = p; c < dim + classes; c++)
        a[r * (dim + classes) + c] -= factor * a[p * (dim + classes) + c];
    }
  for (guint k = 0; k < classes; k++) {
    double score = means[k];

    for (guint c = 0; c < dim; c++)
      score += x[c] * a[c * (dim + classes) + dim + k] / a[c * (dim + classes) + c];
    if (score > best) {
      best = score;
      winner = k;
    }
  }
  return winner;
}

/* The first vector has a group of its own; its class is right if and only if the other form of the same regression says so. */
START_TEST (test_ridge)
{
  enum { N = 14, DIM = 5, CLASSES = 3 };
  g_autoptr (GRand) rng = g_rand_new_with_seed (3);
  guint right_times = 0;

  for (guint round = 0; round < 60; round++) {
    float values[N * DIM];
    guint label[N], group[N];
    gboolean right[N] = { FALSE };
    const RvmRidgeData data = { N, DIM, CLASSES, values, label, group };

    fill (rng, values, N * DIM);
    for (guint i = 0; i < N; i++) {
      label[i] = i < CLASSES ? i : (guint) g_rand_int_range (rng, 0, CLASSES);
      group[i] = i == 0 ? 7 : 8 + i % 2;
      values[i * DIM] += label[i];
    }
    rvm_ridge_cross_validate (&data, 0.1, right);
    ck_assert_int_eq (right[0], classify_directly (values, label, N, DIM, CLASSES, 0.1) == label[0]);
    right_times += right[0];
  }
  ck_assert (right_times > 20 && right_times < 60);
}
END_TEST

/* Classes that a plane separates are all right; labels that values say nothing of are not; constant columns do no harm. */
START_TEST (test_ridge_separable)
{
  enum { N = 60, DIM = 3 };
  float values[N * DIM];
  guint label[N], group[N], sum = 0;
  gboolean right[N];
  const RvmRidgeData data = { N, DIM, 2, values, label, group };

  for (guint i = 0; i < N; i++) {
    label[i] = i % 2;
    group[i] = i / 20;
    values[i * DIM] = (label[i] ? 3 : -3) + (i % 7) / 7.0f;
    values[i * DIM + 1] = 5;
    values[i * DIM + 2] = (i * 37 % 11) / 11.0f;
  }
  rvm_ridge_cross_validate (&data, 0.1, right);
  for (guint i = 0; i < N; i++)
    ck_assert (right[i]);
  for (guint i = 0; i < N; i++)
    values[i * DIM] = 5;
  rvm_ridge_cross_validate (&data, 0.1, right);
  for (guint i = 0; i < N; i++)
    sum += right[i];
  ck_assert_msg (sum < 50, "%u of 60 right without anything to tell them by", sum);
}
END_TEST

START_TEST (test_retrieval)
{
  enum { N = 6, DIM = 32 };
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);
  float halves[N * 2 * DIM], copy[N * 2 * DIM];

  fill (rng, halves, N * 2 * DIM);
  for (guint i = 0; i < N; i++)
    for (guint c = 0; c < DIM; c++)
      halves[(2 * i + 1) * DIM + c] = 2 * halves[2 * i * DIM + c]; /* the cosine does not see lengths */
  memcpy (copy, halves, sizeof copy);
  ck_assert_uint_eq (rvm_retrieval_count (copy, N, DIM, FALSE), N);
  memcpy (copy, halves, sizeof copy);
  ck_assert_uint_eq (rvm_retrieval_count (copy, N, DIM, TRUE), N);
  /* Two second halves exchanged: both ask for the other. */
  memcpy (copy, halves, sizeof copy);
  memcpy (copy + 1 * DIM, halves + 3 * DIM, DIM * sizeof *copy);
  memcpy (copy + 3 * DIM, halves + 1 * DIM, DIM * sizeof *copy);
  ck_assert_uint_eq (rvm_retrieval_count (copy, N, DIM, FALSE), N - 2);
  /* What is as near to another as to its own has not been found. */
  for (guint i = 0; i < N * 2 * DIM; i++)
    copy[i] = 1;
  ck_assert_uint_eq (rvm_retrieval_count (copy, N, DIM, FALSE), 0);
}
END_TEST

START_TEST (test_occlusion)
{
  enum { ROWS = 8, COLUMNS = 12, DIM = 24, CELLS = ROWS * COLUMNS };
  const RvmOcclusionGrid grid = { ROWS, COLUMNS, DIM, 2, 6, 3, 9, 3, 2 };
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);
  float world[(ROWS + 4) * (COLUMNS + 4) * DIM], covered[CELLS * DIM], view[CELLS * DIM];

  fill (rng, world, G_N_ELEMENTS (world));
  /* A second view whose cell (y, x) has what cell (y + shift_y, x + shift_x) of the first has, moved by @off more. */
  for (guint off = 0; off < 3; off++) {
    for (guint y = 0; y < ROWS; y++)
      for (guint x = 0; x < COLUMNS; x++) {
        memcpy (covered + (y * COLUMNS + x) * DIM, world + (y * (COLUMNS + 4) + x) * DIM, DIM * sizeof *world);
        memcpy (view + (y * COLUMNS + x) * DIM, world + (MIN (y + 2, ROWS + 3) * (COLUMNS + 4) + MIN (x + 3 - off, COLUMNS + 3)) * DIM,
            DIM * sizeof *world);
      }
    ck_assert_double_eq_tol (rvm_occlusion_measure (&grid, covered, view), off < 2 ? 1 : 0, 1e-9); /* one cell beside still counts */
  }
  /* The right cells are in rows 0 to 3 and columns 0 to 5: at the edge there are two rows or columns instead of three. */
  ck_assert_double_eq_tol (rvm_occlusion_get_chance (&grid), 11.0 * 17 / 24 / CELLS, 1e-9);
  /* Features that are the same everywhere find nothing but by chance: always the first cell. */
  for (guint i = 0; i < CELLS * DIM; i++)
    covered[i] = 1;
  ck_assert_double_lt (rvm_occlusion_measure (&grid, covered, view), 0.2);
}
END_TEST

START_TEST (test_results)
{
  static const double values[] = { 1, 2, 6 };
  g_autoptr (RvmResults) results = rvm_results_new ();
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree char *json = NULL, *text = NULL;
  JsonObject *object, *first;

  rvm_results_add_mean (results, "a", "b", "with \"quotes\"", values, 3);
  rvm_results_add_mean (results, "a", "b", "one", values, 1);
  rvm_results_add_share (results, "a", "c", "share", 3, 12);
  rvm_results_leave_out (results, "d", "nothing given");
  ck_assert_uint_eq (rvm_results_get_n (results), 3);
  ck_assert_double_eq_tol (rvm_results_get (results, 0)->value, 3, 1e-12);
  ck_assert_double_eq_tol (rvm_results_get (results, 0)->error, sqrt (7.0 / 3), 1e-12);
  ck_assert (rvm_results_get (results, 1)->value == 1 && rvm_results_get (results, 1)->error == 0);
  ck_assert_double_eq_tol (rvm_results_get (results, 2)->error, 0.125, 1e-12);
  text = rvm_results_to_text (results);
  ck_assert (strstr (text, "left out: d: nothing given\n") && strstr (text, "a: c (n = 12)\n"));
  json = rvm_results_to_json (results);
  ck_assert (strchr (json, '\n') == NULL);
  ck_assert (json_parser_load_from_data (parser, json, -1, NULL));
  object = json_node_get_object (json_parser_get_root (parser));
  first = json_array_get_object_element (json_object_get_array_member (object, "results"), 0);
  ck_assert_str_eq (json_object_get_string_member (first, "answer"), "with \"quotes\"");
  ck_assert_int_eq (json_object_get_int_member (first, "n"), 3);
  ck_assert_uint_eq (json_array_get_length (json_object_get_array_member (object, "left_out")), 1);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("suite");
  TCase *tests = tcase_create ("suite");
  SRunner *runner = srunner_create (suite);
  int failed;

  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_ridge);
  tcase_add_test (tests, test_ridge_separable);
  tcase_add_test (tests, test_retrieval);
  tcase_add_test (tests, test_occlusion);
  tcase_add_test (tests, test_results);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
