/* Measures of maps, and their standard errors: of depths that are wrong by a known share, a share for each picture, the jackknife gives what the textbook does
 * for a mean of so many numbers. Labels whose intersection over union is counted by hand. */
#include <check.h>
#include <math.h>

#include "tests/run_cases.h"
#include "trainer/readout/dense_measures.h"

static const RvmTargetKind depth = { .depth = TRUE, .none = -1, .unit = 1 }, labels = { .classes = 2, .none = -1 };

/* A picture of four pixels and a map of one value. */
static void
add_depth (RvmDenseMeasures *measures, float wrong)
{
  float truth[4] = { 2, 2, 2, 0 }; /* the last is unknown */
  const float answer = 2 * (1 + wrong);

  rvm_dense_measures_add (measures, &(RvmTargetMap){ 2, 2, truth }, &depth, &answer, 1, 1);
}

/* The standard error of the mean of @n numbers. */
static double
get_textbook_error (const double *values, guint n)
{
  double mean = 0, squares = 0;

  for (guint i = 0; i < n; i++)
    mean += values[i] / n;
  for (guint i = 0; i < n; i++)
    squares += (values[i] - mean) * (values[i] - mean);
  return sqrt (squares / (n - 1) / n);
}

START_TEST (each_picture_is_a_stretch)
{
  g_autoptr (RvmDenseMeasures) measures = rvm_dense_measures_new (&depth), other = rvm_dense_measures_new (&depth);
  double wrong[RVM_DENSE_STRETCHES], gains[RVM_DENSE_STRETCHES];

  for (guint i = 0; i < RVM_DENSE_STRETCHES; i++) {
    wrong[i] = 0.01 * (i % 7) + 0.1;
    gains[i] = 0.02 * (i % 3);
    add_depth (measures, wrong[i]);
    add_depth (other, wrong[i] - gains[i]);
    if (i == 0)
      ck_assert (isnan (rvm_dense_measure_get_error (measures, NULL, &depth, 0)));
  }
  ck_assert_uint_eq (measures->n, RVM_DENSE_STRETCHES);
  ck_assert_uint_eq (measures->all.pixels, 3 * RVM_DENSE_STRETCHES);
  ck_assert_double_eq_tol (rvm_dense_measure_get_error (measures, NULL, &depth, 0), get_textbook_error (wrong, RVM_DENSE_STRETCHES), 1e-7);
  ck_assert_double_eq_tol (rvm_dense_measure_get_error (measures, other, &depth, 0), get_textbook_error (gains, RVM_DENSE_STRETCHES), 1e-7);
  ck_assert_double_eq_tol (rvm_dense_measure_get (measures, &depth, 1), 1, 1e-12); /* all less than a quarter wrong */
  ck_assert_double_eq_tol (rvm_dense_measure_get_error (measures, NULL, &depth, 1), 0, 1e-12);
}
END_TEST

/* Pictures by fours are alike, so the error is that of a quarter as many. */
START_TEST (many_pictures_become_stretches)
{
  enum { LENGTH = 4, N = LENGTH * 12 };
  g_autoptr (RvmDenseMeasures) measures = rvm_dense_measures_new (&depth);
  double means[N / LENGTH], before;

  for (guint i = 0; i < N; i++) {
    means[i / LENGTH] = 0.01 * (i / LENGTH % 5) + 0.2;
    add_depth (measures, means[i / LENGTH]);
  }
  ck_assert_uint_eq (measures->length, LENGTH);
  ck_assert_uint_eq (measures->n_stretches, N / LENGTH);
  before = rvm_dense_measure_get (measures, &depth, 0);
  ck_assert_double_eq_tol (rvm_dense_measure_get_error (measures, NULL, &depth, 0), get_textbook_error (means, N / LENGTH), 1e-7);
  ck_assert (rvm_dense_measure_get (measures, &depth, 0) == before);
}
END_TEST

START_TEST (labels_are_counted)
{
  g_autoptr (RvmDenseMeasures) measures = rvm_dense_measures_new (&labels);
  const float answers[2][4] = { { 0.9f, 0.1f, 0.2f, 0.8f }, { 0.3f, 0.7f, 0.4f, 0.6f } }; /* 0 1 and 1 1 */
  float truths[2][2] = { { 0, 0 }, { 1, -1 } };

  for (guint i = 0; i < 2; i++)
    rvm_dense_measures_add (measures, &(RvmTargetMap){ 2, 1, truths[i] }, &labels, answers[i], 1, 2);
  ck_assert_double_eq_tol (rvm_dense_measures_get_class_iou (measures, 0), 1 / 2.0, 1e-12);
  ck_assert_double_eq_tol (rvm_dense_measures_get_class_iou (measures, 1), 1 / 2.0, 1e-12);
  ck_assert_double_eq_tol (rvm_dense_measure_get (measures, &labels, 0), 1 / 2.0, 1e-12);
  ck_assert_double_eq_tol (rvm_dense_measure_get (measures, &labels, 1), 2 / 3.0, 1e-12);
  /* Without the first picture, 1; without the second, there is class 0 alone, at 1/2. */
  ck_assert_double_eq_tol (rvm_dense_measure_get_error (measures, NULL, &labels, 0), 0.25, 1e-12);
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("measures");

  tcase_add_test (tests, each_picture_is_a_stretch);
  tcase_add_test (tests, many_pictures_become_stretches);
  tcase_add_test (tests, labels_are_counted);
  return run_cases ("dense measures", tests);
}
