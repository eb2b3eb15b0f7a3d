/* archive_faiss ARCHIVE KIND MOMENTS [QUERIES]: what an index for FAISS does to a search. The vectors of KIND (mean, class or colours) of ARCHIVE, or random
 * ones if ARCHIVE is "random", are repeated with noise until a new archive has MOMENTS of them. Prints the time to make the index and its size, and for some
 * of the moments as queries: the time of an exact search and of one with FAISS, each with opening and reading the archive, the share of moments that
 * were compared, and recall at 10: how many of the ten best by exact search FAISS finds. */
#include <math.h>
#include <stdlib.h>

#include "archive/search/approximate.h"
#include "archive/search/search.h"
#include "kernels/error.h"
#include "kernels/half.h"
#include "tests/folder.h"

enum { EACH = 1000, RANDOM = 4096, BEST = 10, SETTINGS_DIM = 128, COLOURS = 512 };

#define NOISE 0.2 /* deviations of a column; of colours: of themselves */

typedef struct {
  RvmVectorOf kind;
  guint dim;
  gsize n;
  guint16 *halves;
  float *deviation;
} Source;

static double
draw_normal (GRand *rng)
{
  return sqrt (-2 * log (1 - g_rand_double (rng))) * cos (2 * G_PI * g_rand_double (rng));
}

static gboolean
read_source (const char *folder, Source *source, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "archive.sqlite", NULL);
  g_autoptr (RvmDatabase) database = NULL;
  g_autoptr (RvmTable) table = NULL;
  g_autoptr (RvmStandard) standard = NULL;
  g_autoptr (GRand) rng = g_rand_new_with_seed (2);

  if (g_str_equal (folder, "random")) {
    source->dim = source->kind == RVM_VECTOR_COLOURS ? COLOURS : SETTINGS_DIM;
    source->n = RANDOM;
    source->halves = g_new (guint16, source->n * source->dim);
    for (gsize i = 0; i < source->n * source->dim; i++)
      source->halves[i] = rvm_float_to_half (source->kind == RVM_VECTOR_COLOURS ? g_rand_double (rng) / 14 : draw_normal (rng));
  } else {
    database = rvm_database_open (path, RVM_DATABASE_READ, error);
    table = database ? rvm_table_load (database, source->kind, error) : NULL;
    if (table == NULL)
      return FALSE;
    source->dim = table->dim;
    source->n = table->n;
    source->halves = g_steal_pointer (&table->halves);
  }
  standard = rvm_standard_new (source->halves, source->n, source->dim, 0);
  source->deviation = g_new (float, source->dim);
  for (guint c = 0; c < source->dim; c++)
    source->deviation[c] = standard->scale[c] > 0 ? 1 / standard->scale[c] : 0;
  return TRUE;
}

static GBytes *
draw_vectors (const Source *source, gsize first, gsize n, GRand *rng)
{
  guint16 *halves = g_new (guint16, n * source->dim);
  g_autofree float *vector = g_new (float, source->dim);

  for (gsize i = 0; i < n; i++) {
    const guint16 *from = source->halves + (first + i) % source->n * source->dim;
    double square = 0;

    for (guint c = 0; c < source->dim; c++) {
      /* Sums of uniform numbers are normal enough, and quicker. */
      const double noise = NOISE * (g_rand_double (rng) + g_rand_double (rng) + g_rand_double (rng) - 1.5) * 2, value = rvm_half_to_float (from[c]);

      vector[c] = source->kind == RVM_VECTOR_COLOURS ? value * fabs (1 + noise) : value + noise * source->deviation[c];
      square += vector[c] * vector[c];
    }
    for (guint c = 0; c < source->dim; c++)
      halves[i * source->dim + c] = rvm_float_to_half (source->kind == RVM_VECTOR_COLOURS && square > 0 ? vector[c] / sqrt (square) : vector[c]);
  }
  return g_bytes_new_take (halves, n * source->dim * sizeof *halves);
}

static RvmDatabase *
fill (const char *path, const Source *source, gsize moments, GError **error)
{
  const gboolean colours = source->kind == RVM_VECTOR_COLOURS;
  const guint width = source->kind == RVM_VECTOR_SUMMARY ? 2 : 1;
  const RvmSettings settings = { .model_id = (char *) "none", .precision = (char *) "f32", .dim = colours ? SETTINGS_DIM : source->dim / width, .size = 64,
    .rate_n = 2, .rate_d = 1, .colours = colours ? source->dim : COLOURS, .parts = RVM_PART_CLASS | RVM_PART_MEAN | RVM_PART_SUMMARY };
  g_autoptr (RvmDatabase) database = rvm_database_open (path, RVM_DATABASE_MAKE, error);
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);

  if (database == NULL || !rvm_database_set_settings (database, &settings, error))
    return NULL;
  for (gsize first = 0; first < moments; first += EACH) {
    g_autofree char *name = g_strdup_printf ("/videos/%07" G_GSIZE_FORMAT ".mp4", first / EACH);
    g_autoptr (RvmRecord) record = rvm_record_new (name);
    gint64 *times = g_new (gint64, EACH);

    for (gint64 i = 0; i < EACH; i++)
      times[i] = i * 500000000;
    g_free (record->state);
    record->state = g_strdup ("done");
    record->moments = MIN (EACH, moments - first);
    record->vectors[RVM_VECTOR_TIMES] = g_bytes_new_take (times, record->moments * sizeof *times);
    record->vectors[source->kind] = draw_vectors (source, first, record->moments, rng);
    if (!rvm_database_put (database, record, error))
      return NULL;
  }
  return g_steal_pointer (&database);
}

typedef struct {
  float score;
  gsize row;
} Best;

/* The rows of the BEST best scores. */
static void
choose (const float *scores, gsize n, Best *best)
{
  guint found = 0;

  for (gsize row = 0; row < n; row++) {
    guint at = found;

    if (isnan (scores[row]) || (found == BEST && scores[row] <= best[BEST - 1].score))
      continue;
    for (; at > 0 && best[at - 1].score < scores[row]; at--)
      if (at < BEST)
        best[at] = best[at - 1];
    best[at] = (Best){ scores[row], row };
    found = MIN (found + 1, BEST);
  }
}

static RvmSearch *
search (const char *folder, const float *query, const Source *source, RvmSearchMethod method, double *seconds, Best *best, GError **error)
{
  const gint64 begin = g_get_monotonic_time ();
  RvmQuery asked = { .vectors = { NULL } };
  const RvmSearchOptions how = { .by = source->kind == RVM_VECTOR_COLOURS ? RVM_BY_COLOURS : RVM_BY_FEATURES, .kind = source->kind, .method = method };
  g_autofree char *path = g_build_filename (folder, "archive.sqlite", NULL);
  g_autoptr (RvmDatabase) database = rvm_database_open (path, RVM_DATABASE_READ, error);
  g_autoptr (RvmSearch) found = NULL;

  asked.vectors[source->kind] = (float *) query;
  found = database ? rvm_search_run (database, folder, &asked, &how, error) : NULL;
  if (found)
    choose (found->scores, found->table->n, best);
  *seconds += (g_get_monotonic_time () - begin) / 1e6;
  return g_steal_pointer (&found);
}

static gboolean
measure (const char *folder, const Source *source, guint queries, GError **error)
{
  double exact_seconds = 0, seconds = 0, compared = 0;
  guint hits = 0;
  g_autoptr (GRand) rng = g_rand_new_with_seed (3);

  for (guint q = 0; q < queries; q++) {
    g_autoptr (GBytes) one = draw_vectors (source, g_rand_int_range (rng, 0, source->n), 1, rng);
    const guint16 *halves = g_bytes_get_data (one, NULL);
    g_autofree float *query = g_new (float, source->dim);
    Best exact_best[BEST] = { 0 }, best[BEST] = { 0 };
    g_autoptr (RvmSearch) exact = NULL, found = NULL;

    for (guint c = 0; c < source->dim; c++)
      query[c] = rvm_half_to_float (halves[c]);
    exact = search (folder, query, source, RVM_METHOD_EXACT, &exact_seconds, exact_best, error);
    found = exact ? search (folder, query, source, RVM_METHOD_FAISS, &seconds, best, error) : NULL;
    if (found == NULL)
      return FALSE;
    compared += (double) found->compared / found->table->n;
    for (guint i = 0; i < BEST; i++)
      for (guint k = 0; k < BEST; k++)
        hits += best[i].row == exact_best[k].row;
  }
  g_print ("exact %.3f s, faiss %.3f s, %.1f %% compared, recall at %d: %.3f\n", exact_seconds / queries, seconds / queries, 100 * compared / queries, BEST,
      (double) hits / queries / BEST);
  return TRUE;
}

static gboolean
run (char **arguments, const char *folder, GError **error)
{
  const gsize moments = g_ascii_strtoull (arguments[2], NULL, 10);
  g_autofree char *path = g_build_filename (folder, "archive.sqlite", NULL), *lists = g_strdup_printf ("%s/nearest/%s.faiss", folder, arguments[1]);
  g_autoptr (RvmDatabase) database = NULL;
  Source source = { .kind = RVM_VECTOR_CLASS };
  gint64 begin;
  GStatBuf status;

  while (source.kind < RVM_VECTOR_KINDS && !g_str_equal (rvm_vector_names[source.kind], arguments[1]))
    source.kind++;
  if (source.kind == RVM_VECTOR_KINDS || moments == 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "expected mean, class or colours, and a number of moments");
    return FALSE;
  }
  if (!read_source (arguments[0], &source, error))
    return FALSE;
  database = fill (path, &source, moments, error);
  begin = g_get_monotonic_time ();
  if (database == NULL || !rvm_approximate_make (database, folder, source.kind, error))
    return FALSE;
  g_print ("%s, %" G_GSIZE_FORMAT " moments: made in %.1f s, ", arguments[1], moments, (g_get_monotonic_time () - begin) / 1e6);
  g_clear_pointer (&database, rvm_database_free);
  g_print ("%.1f MB, ", g_stat (lists, &status) == 0 ? status.st_size / 1e6 : 0);
  return measure (folder, &source, arguments[3] ? CLAMP (atoi (arguments[3]), 1, 1000) : 20, error);
}

int
main (int argc, char **argv)
{
  g_autofree char *folder = g_dir_make_tmp ("archive-faiss-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  const gboolean ok = folder && argc >= 4 && run (argv + 1, folder, &error);

  if (!ok)
    g_printerr ("archive_faiss: %s\n", error ? error->message : "ARCHIVE KIND MOMENTS [QUERIES]");
  if (folder)
    remove_folder (folder);
  return !ok;
}
