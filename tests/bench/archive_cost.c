/* archive_cost MOMENTS...: the time of a search in archives of so many moments of random vectors, 1,000 in a video: reading, comparing, and choosing
 * answers, each as `rvm-archive search` does it. The best of two, on the clock and of all processors together. */
#include <time.h>

#include "archive/search/answer.h"
#include "archive/search/search.h"
#include "kernels/half.h"
#include "tests/folder.h"

enum { EACH = 1000, DIM = 128, SUMMARY = 2 * DIM, COLOURS = 512, TIMES = 2 };

static GBytes *
make_vectors (GRand *rng, gsize n)
{
  guint16 *halves = g_new (guint16, n);

  for (gsize i = 0; i < n; i++)
    halves[i] = rvm_float_to_half (g_rand_double (rng));
  return g_bytes_new_take (halves, n * sizeof *halves);
}

static gboolean
fill (const char *path, gsize moments, GError **error)
{
  const RvmSettings settings = { .model_id = (char *) "none", .precision = (char *) "f32", .dim = DIM, .size = 128, .rate_n = 5, .rate_d = 1,
    .colours = COLOURS, .parts = RVM_PART_SUMMARY };
  g_autoptr (RvmDatabase) database = rvm_database_open (path, RVM_DATABASE_MAKE, error);
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);
  g_autoptr (GBytes) summary = make_vectors (rng, (EACH + 1000) * SUMMARY), colours = make_vectors (rng, (EACH + 1000) * COLOURS);

  if (database == NULL || !rvm_database_set_settings (database, &settings, error))
    return FALSE;
  for (gsize first = 0; first < moments; first += EACH) {
    g_autofree char *name = g_strdup_printf ("/videos/%07" G_GSIZE_FORMAT ".mp4", first / EACH);
    g_autoptr (RvmRecord) record = rvm_record_new (name);
    gint64 *times = g_new (gint64, EACH);
    const gsize shift = first / EACH % 1000;

    for (gint64 i = 0; i < EACH; i++)
      times[i] = i * 200000000;
    g_free (record->state);
    record->state = g_strdup ("done");
    record->moments = MIN (EACH, moments - first);
    record->vectors[RVM_VECTOR_TIMES] = g_bytes_new_take (times, record->moments * sizeof *times);
    record->vectors[RVM_VECTOR_SUMMARY] = g_bytes_new_from_bytes (summary, shift * SUMMARY * 2, record->moments * SUMMARY * 2);
    record->vectors[RVM_VECTOR_COLOURS] = g_bytes_new_from_bytes (colours, shift * COLOURS * 2, record->moments * COLOURS * 2);
    if (!rvm_database_put (database, record, error))
      return FALSE;
  }
  return TRUE;
}

/* Seconds of one search, opening the database included; @processors: the sum of theirs. */
static double
search (const char *path, RvmSearchBy by, double *processors, GError **error)
{
  const clock_t processors_begin = clock ();
  const gint64 begin = g_get_monotonic_time ();
  g_autoptr (RvmDatabase) database = rvm_database_open (path, RVM_DATABASE_READ, error);
  float summary[SUMMARY], colours[COLOURS];
  const RvmQuery query = { .vectors = { [RVM_VECTOR_SUMMARY] = summary, [RVM_VECTOR_COLOURS] = colours } };
  const RvmSearchOptions how = { .by = by, .kind = RVM_VECTOR_SUMMARY, .method = RVM_METHOD_EXACT };
  const RvmAnswerOptions options = { .top = 10, .gap = 2000000000 };
  g_autoptr (RvmSearch) found = NULL;
  g_autoptr (GArray) answers = NULL;

  for (guint c = 0; c < SUMMARY; c++)
    summary[c] = c % 7 / 7.0f;
  for (guint c = 0; c < COLOURS; c++)
    colours[c] = c % 5 / 100.0f;
  found = database ? rvm_search_run (database, "", &query, &how, error) : NULL;
  if (found == NULL)
    return -1;
  answers = rvm_answers_find (found->table, found->scores, &options);
  *processors = (double) (clock () - processors_begin) / CLOCKS_PER_SEC;
  return answers->len == 10 || found->table->n < 20000 ? (g_get_monotonic_time () - begin) / 1e6 : -1;
}

static gboolean
measure (const char *folder, gsize moments, GError **error)
{
  static const char *const names[] = { "features", "colours", "both" };
  g_autofree char *path = g_strdup_printf ("%s/%" G_GSIZE_FORMAT ".sqlite", folder, moments);
  GStatBuf status;

  if (!fill (path, moments, error) || g_stat (path, &status) != 0)
    return FALSE;
  g_print ("%9" G_GSIZE_FORMAT " moments, %7.1f MB:", moments, status.st_size / 1e6);
  for (guint by = 0; by < G_N_ELEMENTS (names); by++) {
    double best = G_MAXDOUBLE, least = G_MAXDOUBLE;

    for (guint i = 0; i < TIMES; i++) {
      double processors, seconds = search (path, by, &processors, error);

      if (seconds < 0)
        return FALSE;
      best = MIN (best, seconds);
      least = MIN (least, processors);
    }
    g_print ("  %s %.3f s (processors %.3f s)", names[by], best, least);
  }
  g_print ("\n");
  g_unlink (path);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autofree char *folder = g_dir_make_tmp ("archive-cost-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  gboolean ok = folder != NULL;

  for (int i = 1; ok && i < argc; i++)
    ok = measure (folder, g_ascii_strtoull (argv[i], NULL, 10), &error);
  if (!ok)
    g_printerr ("archive_cost: %s\n", error ? error->message : "failed");
  if (folder)
    remove_folder (folder);
  return !ok;
}
