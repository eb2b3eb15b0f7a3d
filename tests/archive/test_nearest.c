/* Lists of FAISS beside an archive: they find what exact search finds, also when videos have come and gone since; damage is noticed, and what a killed
 * process left is written over. Without FAISS it is refused, and the rest is skipped. */
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "archive/search/approximate.h"
#include "archive/search/faiss.h"
#include "archive/search/nearest.h"
#include "archive/search/search.h"
#include "kernels/error.h"
#include "kernels/half.h"
#include "tests/folder.h"

enum { VIDEOS = 50, MOMENTS = 400 /* of each */, DIM = 24 /* of a summary */, COLOURS = 64, CLUSTERS = 40, BEST = 10 };

#define assert_no_error(error) ck_assert_msg ((error) == NULL, "%s", (error) ? (error)->message : "")

static char *folder, *path;

/* Vectors around some centres; video @video has its own. Colours have length 1. */
static GBytes *
make_vectors (guint video, gsize dim, gboolean colours)
{
  g_autoptr (GRand) rng = g_rand_new_with_seed (100 + video), centres = g_rand_new_with_seed (7);
  g_autofree double *centre = g_new (double, CLUSTERS * dim);
  guint16 *halves = g_new (guint16, MOMENTS * dim);
  g_autofree double *vector = g_new (double, dim);

  for (gsize i = 0; i < CLUSTERS * dim; i++)
    centre[i] = g_rand_double (centres);
  for (guint m = 0; m < MOMENTS; m++) {
    const guint cluster = g_rand_int_range (rng, 0, CLUSTERS);
    double square = 0;

    for (gsize c = 0; c < dim; c++) {
      vector[c] = centre[cluster * dim + c] + 0.3 * g_rand_double (rng);
      square += vector[c] * vector[c];
    }
    for (gsize c = 0; c < dim; c++)
      halves[m * dim + c] = rvm_float_to_half (colours ? vector[c] / sqrt (square) : vector[c]);
  }
  return g_bytes_new_take (halves, MOMENTS * dim * sizeof *halves);
}

static void
put_video (RvmDatabase *database, guint video)
{
  g_autofree char *name = g_strdup_printf ("/videos/%03u.mp4", video);
  g_autoptr (RvmRecord) record = rvm_record_new (name);
  g_autoptr (GError) error = NULL;
  gint64 *times = g_new (gint64, MOMENTS);

  for (gint64 i = 0; i < MOMENTS; i++)
    times[i] = i * 500000000;
  g_free (record->state);
  record->state = g_strdup ("done");
  record->moments = MOMENTS;
  record->vectors[RVM_VECTOR_TIMES] = g_bytes_new_take (times, MOMENTS * sizeof *times);
  record->vectors[RVM_VECTOR_SUMMARY] = make_vectors (video, DIM, FALSE);
  record->vectors[RVM_VECTOR_COLOURS] = make_vectors (video, COLOURS, TRUE);
  rvm_database_put (database, record, &error);
  assert_no_error (error);
}

static RvmDatabase *
open_archive (RvmDatabaseMode mode)
{
  g_autoptr (GError) error = NULL;
  RvmDatabase *database = rvm_database_open (path, mode, &error);

  assert_no_error (error);
  return database;
}

static void
setup (void)
{
  const RvmSettings settings = { .model_id = (char *) "none", .precision = (char *) "f32", .dim = DIM / 2, .size = 64, .rate_n = 2, .rate_d = 1, .colours = COLOURS,
    .parts = RVM_PART_SUMMARY };
  g_autoptr (RvmDatabase) database = NULL;

  folder = g_dir_make_tmp ("nearest-XXXXXX", NULL);
  path = g_build_filename (folder, "archive.sqlite", NULL);
  database = open_archive (RVM_DATABASE_MAKE);
  ck_assert (rvm_database_set_settings (database, &settings, NULL));
  for (guint video = 0; video < VIDEOS; video++)
    put_video (database, video);
}

static void
teardown (void)
{
  remove_folder (folder);
  g_free (folder);
  g_free (path);
}

static void
count_told (const char *text, gpointer user_data)
{
  ++*(guint *) user_data;
}

/* @told: how often something was said. NULL on error. */
static RvmSearch *
search (RvmSearchBy by, RvmSearchMethod method, guint *told, GError **error)
{
  g_autoptr (RvmDatabase) database = open_archive (RVM_DATABASE_READ);
  g_autoptr (GBytes) summary = make_vectors (3, DIM, FALSE), colours = make_vectors (3, COLOURS, TRUE);
  float summary_query[DIM], colours_query[COLOURS];
  const RvmQuery query = { .vectors = { [RVM_VECTOR_SUMMARY] = summary_query, [RVM_VECTOR_COLOURS] = colours_query } };
  const RvmSearchOptions options = { .by = by, .kind = RVM_VECTOR_SUMMARY, .method = method, .tell = count_told, .user_data = told };

  for (guint c = 0; c < DIM; c++)
    summary_query[c] = rvm_half_to_float (((const guint16 *) g_bytes_get_data (summary, NULL))[c]);
  for (guint c = 0; c < COLOURS; c++)
    colours_query[c] = rvm_half_to_float (((const guint16 *) g_bytes_get_data (colours, NULL))[c]);
  *told = 0;
  return rvm_search_run (database, folder, &query, &options, error);
}

static gsize
find_best (const float *scores, gsize n, float below)
{
  gsize best = n;

  for (gsize i = 0; i < n; i++)
    if (!isnan (scores[i]) && scores[i] < below && (best == n || scores[i] > scores[best]))
      best = i;
  return best;
}

/* All scores that there are, are those of exact search; how many of the best BEST are there. @tolerance: lists keep halves of other numbers. */
static guint
compare (const RvmSearch *exact, const RvmSearch *found)
{
  float below = HUGE_VALF;
  guint hits = 0;

  ck_assert_uint_eq (exact->table->n, found->table->n);
  for (gsize i = 0; i < found->table->n; i++)
    ck_assert_msg (isnan (found->scores[i]) || fabsf (found->scores[i] - exact->scores[i]) < 2e-3f, "row %zu has %g, expected %g", (size_t) i,
        (double) found->scores[i], (double) exact->scores[i]);
  for (guint i = 0; i < BEST; i++) {
    const gsize best = find_best (exact->scores, exact->table->n, below);

    below = exact->scores[best];
    hits += !isnan (found->scores[best]);
  }
  return hits;
}

/* @told: how often something is said. */
static void
check_finds (RvmSearchBy by, guint told)
{
  g_autoptr (GError) error = NULL;
  guint said;
  g_autoptr (RvmSearch) exact = search (by, RVM_METHOD_EXACT, &said, &error), found = NULL;

  assert_no_error (error);
  ck_assert_uint_eq (said, 0);
  ck_assert_int_eq (exact->method, RVM_METHOD_EXACT);
  ck_assert_uint_eq (exact->compared, exact->table->n);
  found = search (by, RVM_METHOD_FAISS, &said, &error);
  assert_no_error (error);
  ck_assert_uint_eq (said, told);
  ck_assert_int_eq (found->method, RVM_METHOD_FAISS);
  ck_assert_uint_lt (found->compared, found->table->n / 2);
  ck_assert_uint_gt (found->compared, 100);
  ck_assert_uint_ge (compare (exact, found), BEST - 1);
}

static void
change_file (const char *name, gint64 at)
{
  g_autofree char *file = g_build_filename (folder, "nearest", name, NULL);
  FILE *stream = g_fopen (file, "r+b");
  int byte;

  ck_assert_ptr_ne (stream, NULL);
  ck_assert_int_eq (fseek (stream, at, at < 0 ? SEEK_END : SEEK_SET), 0);
  byte = fgetc (stream);
  ck_assert_int_eq (fseek (stream, -1, SEEK_CUR), 0);
  fputc (byte ^ 0x55, stream);
  fclose (stream);
}

static gint64
get_size (const char *name)
{
  g_autofree char *file = g_build_filename (folder, "nearest", name, NULL);
  GStatBuf status;

  return g_stat (file, &status) == 0 ? status.st_size : -1;
}

START_TEST (test_it_finds_what_exact_search_finds)
{
  check_finds (RVM_BY_FEATURES, 1);
  check_finds (RVM_BY_FEATURES, 0);
  check_finds (RVM_BY_COLOURS, 1);
  ck_assert_int_gt (get_size ("summary.faiss"), VIDEOS * MOMENTS * DIM * 2);
  ck_assert_int_eq (get_size ("summary.faiss.part"), -1);
}
END_TEST

/* A small archive is searched exactly, whatever lies beside it. */
START_TEST (test_auto_is_exact_for_a_small_archive)
{
  g_autoptr (GError) error = NULL;
  guint said;
  g_autoptr (RvmSearch) found = search (RVM_BY_COLOURS, RVM_METHOD_AUTO, &said, &error);

  assert_no_error (error);
  ck_assert_int_eq (found->method, RVM_METHOD_EXACT);
  ck_assert_uint_eq (said, 0);
}
END_TEST

START_TEST (test_videos_come_and_go)
{
  g_autoptr (RvmDatabase) database = open_archive (RVM_DATABASE_WRITE);
  g_autoptr (RvmRecord) gone = NULL;
  gint64 size;

  check_finds (RVM_BY_FEATURES, 1);
  size = get_size ("summary.faiss");
  /* One of fifty has come, and another has gone, whose place is in the middle: the index is still good enough. */
  put_video (database, VIDEOS);
  gone = rvm_database_find (database, "/videos/020.mp4", NULL);
  ck_assert (rvm_database_remove (database, gone->id, NULL));
  {
    g_autoptr (GError) error = NULL;
    guint said;
    g_autoptr (RvmSearch) exact = search (RVM_BY_FEATURES, RVM_METHOD_EXACT, &said, &error), found = search (RVM_BY_FEATURES, RVM_METHOD_FAISS, &said, &error);
    const RvmTableSpan *last = &g_array_index (found->table->spans, RvmTableSpan, found->table->spans->len - 1);

    assert_no_error (error);
    ck_assert_uint_eq (said, 0);
    ck_assert_str_eq (last->record->path, "/videos/050.mp4");
    for (gsize i = 0; i < last->count; i++)
      ck_assert (!isnan (found->scores[last->first + i]));
    /* The columns are standardised as they were. */
    for (gsize i = 0; i < found->table->n; i++)
      ck_assert (isnan (found->scores[i]) || fabsf (found->scores[i] - exact->scores[i]) < 0.02f);
  }
  ck_assert_int_eq (get_size ("summary.faiss"), size);
  for (guint video = VIDEOS + 1; video < VIDEOS + 6; video++)
    put_video (database, video);
  check_finds (RVM_BY_FEATURES, 1);
  ck_assert_int_gt (get_size ("summary.faiss"), size);
}
END_TEST

START_TEST (test_damage_is_noticed)
{
  check_finds (RVM_BY_FEATURES, 1);
  for (guint i = 0; i < 4; i++) {
    /* The end, the trailer, the first number of the head, a centroid. */
    static const gint64 places[] = { -20, -200, 2, 300 };

    change_file ("summary.faiss", places[i]);
    check_finds (RVM_BY_FEATURES, 1);
    check_finds (RVM_BY_FEATURES, 0);
  }
  {
    g_autofree char *file = g_build_filename (folder, "nearest", "summary.faiss", NULL);

    ck_assert_int_eq (truncate (file, get_size ("summary.faiss") / 2), 0);
    check_finds (RVM_BY_FEATURES, 1);
    ck_assert_int_eq (truncate (file, 0), 0);
    check_finds (RVM_BY_FEATURES, 1);
  }
}
END_TEST

START_TEST (test_a_part_that_is_left_is_written_over)
{
  g_autofree char *nearest = g_build_filename (folder, "nearest", NULL), *part = g_build_filename (nearest, "summary.faiss.part", NULL);
  g_autofree char *junk = g_strnfill (10000000, 'x');

  g_mkdir (nearest, 0777);
  ck_assert (g_file_set_contents (part, junk, -1, NULL));
  check_finds (RVM_BY_FEATURES, 1);
  ck_assert_int_eq (get_size ("summary.faiss.part"), -1);
  ck_assert_int_lt (get_size ("summary.faiss"), 10000000);
}
END_TEST

START_TEST (test_one_process_makes_it)
{
  g_autofree char *nearest = g_build_filename (folder, "nearest", NULL), *part = g_build_filename (nearest, "summary.faiss.part", NULL);
  g_autoptr (GError) error = NULL;
  guint said;
  int file;

  g_mkdir (nearest, 0777);
  file = open (part, O_RDWR | O_CREAT, 0666);
  ck_assert_int_eq (flock (file, LOCK_EX | LOCK_NB), 0);
  ck_assert_ptr_eq (search (RVM_BY_FEATURES, RVM_METHOD_FAISS, &said, &error), NULL);
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_FILE));
  ck_assert_ptr_ne (strstr (error->message, "is being made by another process"), NULL);
  close (file);
}
END_TEST

START_TEST (test_it_is_not_for_both)
{
  g_autoptr (GError) error = NULL;
  guint said;

  ck_assert_ptr_eq (search (RVM_BY_BOTH, RVM_METHOD_FAISS, &said, &error), NULL);
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT));
}
END_TEST

/* Without FAISS. */
START_TEST (test_it_is_refused)
{
  g_autoptr (GError) error = NULL, problem = NULL;
  guint said;
  g_autoptr (RvmDatabase) database = open_archive (RVM_DATABASE_READ);

  ck_assert_ptr_eq (search (RVM_BY_FEATURES, RVM_METHOD_FAISS, &said, &error), NULL);
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT));
  ck_assert_ptr_ne (strstr (error->message, "built without FAISS"), NULL);
  ck_assert (!rvm_approximate_make (database, folder, RVM_VECTOR_SUMMARY, &problem));
  ck_assert (g_error_matches (problem, RVM_ERROR, RVM_ERROR_ARGUMENT));
}
END_TEST

/* W makes the shrunk correlations the identity, and scores are cosines of what it makes of the vectors, whichever function computes them. An odd
 * number of columns, and vectors that do not fill a block. */
START_TEST (test_whitening)
{
  enum { ODD = 7, N = 37, OF = 10 /* videos */ };
  g_autoptr (GRand) rng = g_rand_new_with_seed (5);
  guint16 halves[N * ODD];
  double values[N][ODD], correlation[ODD][ODD] = { { 0 } };
  float query[ODD], scores[N], converted[N * ODD];
  g_autoptr (RvmStandard) standard = NULL;
  g_autofree float *prepared = NULL;

  for (guint i = 0; i < N; i++)
    for (guint c = 0; c < ODD; c++) /* columns that go together, and a constant one */
      halves[i * ODD + c] = rvm_float_to_half (c == 3 ? 2 : (c ? 0.7 * rvm_half_to_float (halves[i * ODD]) : 0) + g_rand_double (rng) * (1 + c));
  standard = rvm_standard_new (halves, N, ODD, OF);
  ck_assert_ptr_nonnull (standard->whitening);
  for (guint i = 0; i < N; i++)
    for (guint c = 0; c < ODD; c++)
      values[i][c] = (rvm_half_to_float (halves[i * ODD + c]) - (double) standard->mean[c]) * standard->scale[c];
  for (guint r = 0; r < ODD; r++)
    for (guint c = 0; c < ODD; c++) {
      for (guint i = 0; i < N; i++)
        correlation[r][c] += 0.5 * values[i][r] * values[i][c] / N; /* 5 of 10 are given up */
      correlation[r][c] += r == c ? 0.5 : 0;
      ck_assert (c <= r || standard->whitening[r * ODD + c] == 0); /* a triangle */
    }
  for (guint r = 0; r < ODD; r++)
    for (guint c = 0; c < ODD; c++) {
      double product = 0; /* of W correlation W', which is the identity */

      for (guint i = 0; i < ODD; i++)
        for (guint j = 0; j < ODD; j++)
          product += standard->whitening[r * ODD + i] * correlation[i][j] * standard->whitening[c * ODD + j];
      ck_assert_float_eq_tol (product, r == c, 1e-5);
    }
  for (guint c = 0; c < ODD; c++)
    query[c] = rvm_half_to_float (halves[5 * ODD + c]);
  rvm_nearest_score (halves, N, ODD, standard, query, scores);
  rvm_nearest_convert (halves, N, ODD, standard, converted);
  prepared = rvm_nearest_prepare (standard, query, ODD);
  for (guint i = 0; i < N; i++) {
    double length = 0, product = 0, cosine = 0;

    for (guint r = 0; r < ODD; r++) {
      double whitened = 0;

      for (guint c = 0; c < ODD; c++)
        whitened += standard->whitening[r * ODD + c] * values[i][c];
      length += whitened * whitened;
      product += whitened * prepared[r];
      cosine += converted[i * ODD + r] * prepared[r];
    }
    ck_assert_float_eq_tol (scores[i], product / sqrt (length), 1e-5);
    ck_assert_float_eq_tol (cosine, scores[i], 1e-5);
  }
  ck_assert_float_eq_tol (scores[5], 1, 1e-5);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("nearest");
  TCase *tests = tcase_create ("lists");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tests, 120);
  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_add_test (tests, test_whitening);
  tcase_add_test (tests, test_auto_is_exact_for_a_small_archive);
  if (rvm_faiss_is_there ()) {
    tcase_add_test (tests, test_it_finds_what_exact_search_finds);
    tcase_add_test (tests, test_videos_come_and_go);
    tcase_add_test (tests, test_damage_is_noticed);
    tcase_add_test (tests, test_a_part_that_is_left_is_written_over);
    tcase_add_test (tests, test_one_process_makes_it);
    tcase_add_test (tests, test_it_is_not_for_both);
  } else
    tcase_add_test (tests, test_it_is_refused);
  suite_add_tcase (suite, tests);
  srunner_run_all (runner, CK_ENV);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  if (failed == 0 && !rvm_faiss_is_there ()) {
    printf ("skipped: built without FAISS (libfaiss-dev), of which only the refusal was tested\n");
    return 77;
  }
  return failed ? 1 : 0;
}
