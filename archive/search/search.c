/* Whole pictures are compared by one vector each, regions by all patches, file after file, which are mapped and not kept. */
#include "search.h"

#include <math.h>
#include <string.h>

#include "approximate.h"
#include "archive/look/features_file.h"
#include "faiss.h"
#include "kernels/error.h"
#include "nearest.h"

enum { SAMPLES = 65536 /* patches that say what all have in common */ };

/* Cosines of whitened features are spread much wider than likenesses of colours: docs/quality.md has what other weights find. */
#define FEATURES_OF_BOTH 0.15f

#define LONG 300000000 /* bytes of vectors that take about a second to read and compare */

const char *const rvm_search_methods[] = { "auto", "exact", "faiss" };

void
rvm_search_free (RvmSearch *search)
{
  if (search == NULL)
    return;
  g_clear_pointer (&search->table, rvm_table_free);
  g_free (search->scores);
  g_free (search->best);
  g_free (search);
}

/* Adds @weight times the score of each row by one kind. */
static gboolean
add_scores (RvmSearch *search, RvmDatabase *database, RvmVectorOf kind, const float *query, float weight, GError **error)
{
  g_autoptr (RvmTable) table = query ? rvm_table_load (database, kind, error) : NULL;
  g_autoptr (RvmStandard) standard = NULL;
  g_autofree float *scores = NULL;

  if (query == NULL)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: has no vectors of kind %s", rvm_database_get_path (database), rvm_vector_names[kind]);
  if (table == NULL)
    return FALSE;
  scores = g_new (float, MAX (table->n, 1));
  if (kind != RVM_VECTOR_COLOURS)
    standard = rvm_standard_new (table->halves, table->n, table->dim, table->spans->len);
  rvm_nearest_score (table->halves, table->n, table->dim, standard, query, scores);
  if (search->scores == NULL)
    search->scores = g_new0 (float, MAX (table->n, 1));
  for (gsize i = 0; i < table->n; i++)
    search->scores[i] += weight * scores[i];
  g_clear_pointer (&table->halves, g_free);
  g_clear_pointer (&search->table, rvm_table_free);
  search->table = g_steal_pointer (&table);
  return TRUE;
}

static GBytes *
map_features (const char *folder, const RvmRecord *record, guint dim, GError **error)
{
  g_autofree char *path = g_build_filename (folder, record->features, NULL);

  return rvm_features_file_map (path, record->moments, record->rows, record->columns, dim, error);
}

/* Patches of all files, as many of each as it has moments' share in all. */
static RvmStandard *
sample_patches (const RvmTable *table, const char *folder, guint dim, GError **error)
{
  g_autoptr (GByteArray) samples = g_byte_array_new ();

  for (guint s = 0; s < table->spans->len; s++) {
    const RvmTableSpan *span = &g_array_index (table->spans, RvmTableSpan, s);
    const RvmRecord *record = span->record;
    g_autoptr (GBytes) bytes = record->features ? map_features (folder, record, dim, error) : NULL;
    const gsize n = record->moments * record->rows * record->columns, wanted = MIN (n, SAMPLES * span->count / table->n + 1);

    if (bytes == NULL && record->features)
      return NULL;
    for (gsize i = 0; bytes && i < wanted; i++)
      g_byte_array_append (samples, (const guint8 *) g_bytes_get_data (bytes, NULL) + i * n / wanted * dim * sizeof (guint16), dim * sizeof (guint16));
  }
  if (samples->len == 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: keeps no patches, which regions are compared by: --parts class,summary,patches of 'index' keeps them", folder);
    return NULL;
  }
  return rvm_standard_new ((const guint16 *) (const void *) samples->data, samples->len / dim / sizeof (guint16), dim, table->spans->len);
}

static gboolean
score_regions (RvmSearch *search, RvmDatabase *database, const char *folder, const RvmQuery *query, GError **error)
{
  const guint dim = rvm_database_get_settings (database)->dim;
  g_autoptr (RvmStandard) standard = NULL;

  search->table = rvm_table_load (database, RVM_VECTOR_TIMES, error);
  standard = search->table ? sample_patches (search->table, folder, dim, error) : NULL;
  if (standard == NULL)
    return FALSE;
  search->scores = g_new (float, MAX (search->table->n, 1));
  search->best = g_new0 (guint32, MAX (search->table->n, 1));
  for (guint s = 0; s < search->table->spans->len; s++) {
    const RvmTableSpan *span = &g_array_index (search->table->spans, RvmTableSpan, s);
    const gsize patches = span->record->rows * span->record->columns, n = span->count * patches;
    g_autoptr (GBytes) bytes = span->record->features ? map_features (folder, span->record, dim, error) : NULL;
    g_autofree float *cosines = bytes ? g_try_new (float, n) : NULL;

    if (span->record->features && cosines == NULL)
      return bytes ? (rvm_error_set (error, RVM_ERROR_MEMORY, "there is no memory for the %" G_GSIZE_FORMAT " patches of a video", n), FALSE) : FALSE;
    if (bytes)
      rvm_nearest_score (g_bytes_get_data (bytes, NULL), n, dim, standard, query->region, cosines);
    for (gsize i = 0; i < span->count; i++)
      search->scores[span->first + i] = bytes ? rvm_region_score (cosines + i * patches, patches, query->share, &search->best[span->first + i]) : NAN;
  }
  return TRUE;
}

/* What vectors are compared first. */
static RvmVectorOf
get_kind (const RvmSearchOptions *options)
{
  return options->by == RVM_BY_COLOURS ? RVM_VECTOR_COLOURS : options->kind;
}

static const float *
get_vector (const RvmQuery *query, RvmVectorOf kind)
{
  return query->vectors[kind];
}

static gboolean
score_exactly (RvmSearch *search, RvmDatabase *database, const char *folder, const RvmQuery *query, const RvmSearchOptions *options, GError **error)
{
  search->method = RVM_METHOD_EXACT;
  if (query->region)
    return score_regions (search, database, folder, query, error);
  if (options->by == RVM_BY_COLOURS)
    return add_scores (search, database, RVM_VECTOR_COLOURS, get_vector (query, RVM_VECTOR_COLOURS), 1, error);
  if (!add_scores (search, database, options->kind, get_vector (query, options->kind), options->by == RVM_BY_BOTH ? FEATURES_OF_BOTH : 1, error))
    return FALSE;
  return options->by == RVM_BY_FEATURES || add_scores (search, database, RVM_VECTOR_COLOURS, get_vector (query, RVM_VECTOR_COLOURS), 1 - FEATURES_OF_BOTH, error);
}

static void G_GNUC_PRINTF (2, 3)
tell (const RvmSearchOptions *options, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (options->tell)
    options->tell (text, options->user_data);
}

/* The file of FAISS, if it is up to date; NULL without an error if it should be made. @reason: why. */
static RvmApproximate *
open_approximate (RvmDatabase *database, const char *folder, const RvmTable *table, RvmVectorOf kind, char **reason)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (RvmApproximate) approximate = rvm_approximate_open (database, folder, kind, &problem);

  if (approximate && !rvm_approximate_is_stale (approximate, table))
    return g_steal_pointer (&approximate);
  *reason = approximate ? g_strdup ("much has come or gone since it was made")
      : g_error_matches (problem, RVM_ERROR, RVM_ERROR_FILE) ? g_strdup ("there is none") : g_strdup (problem->message);
  return NULL;
}

static gboolean
make_again (RvmDatabase *database, const char *folder, RvmVectorOf kind, const RvmSearchOptions *options, const char *reason, GError **error)
{
  tell (options, "%s: an index for FAISS is made of the vectors of kind %s (%s)", folder, rvm_vector_names[kind], reason);
  return rvm_approximate_make (database, folder, kind, error);
}

/* Takes the scores from lists of FAISS. @done: FALSE without an error if there are none that are up to date. */
static gboolean
score_by_lists (RvmSearch *search, RvmDatabase *database, const char *folder, const RvmQuery *query, RvmVectorOf kind, char **reason, gboolean *done,
    GError **error)
{
  g_autoptr (RvmTable) table = rvm_table_load (database, RVM_VECTOR_TIMES, error);
  g_autoptr (RvmApproximate) approximate = NULL;
  const float *vector = get_vector (query, kind);

  *done = FALSE;
  if (table == NULL)
    return FALSE;
  approximate = open_approximate (database, folder, table, kind, reason);
  if (approximate == NULL)
    return TRUE;
  search->scores = g_new (float, MAX (table->n, 1));
  search->method = RVM_METHOD_FAISS;
  *done = TRUE;
  if (!rvm_approximate_score (approximate, database, table, vector, search->scores, &search->compared, error))
    return FALSE;
  search->table = g_steal_pointer (&table);
  return TRUE;
}

/* Whether a search in all vectors takes long. */
static gboolean
is_long (RvmDatabase *database, RvmVectorOf kind, gboolean *is_long, GError **error)
{
  g_autoptr (GPtrArray) records = rvm_database_list (database, error);
  gint64 moments = 0;

  for (guint i = 0; records && i < records->len; i++)
    moments += ((const RvmRecord *) g_ptr_array_index (records, i))->moments;
  *is_long = moments * (gint64) rvm_vector_get_size (rvm_database_get_settings (database), kind) > LONG;
  return records != NULL;
}

static gboolean
check_method (RvmDatabase *database, const RvmQuery *query, const RvmSearchOptions *options, RvmVectorOf kind, GError **error)
{
  const char *path = rvm_database_get_path (database);
  const float *vector = get_vector (query, kind);

  if (query->region || options->by == RVM_BY_BOTH)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--method faiss compares whole pictures, by features or by colours: --method exact does the rest");
  else if (!rvm_faiss_is_there ())
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--method faiss: this program was built without FAISS (libfaiss-dev); --method exact finds the same, and more slowly");
  else if (vector == NULL)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: has no vectors of kind %s", path, rvm_vector_names[kind]);
  else
    return TRUE;
  return FALSE;
}

/* By lists if that is asked for, or is quicker. */
static gboolean
score_all (RvmSearch *search, RvmDatabase *database, const char *folder, const RvmQuery *query, const RvmSearchOptions *options, gboolean wanted,
    char **reason, GError **error)
{
  const RvmVectorOf kind = get_kind (options);
  gboolean by_lists = wanted, done = FALSE;

  if (options->method == RVM_METHOD_AUTO && check_method (database, query, options, kind, NULL) && !is_long (database, kind, &by_lists, error))
    return FALSE;
  if (by_lists && !score_by_lists (search, database, folder, query, kind, reason, &done, error))
    return FALSE;
  if (done || wanted)
    return TRUE;
  if (by_lists)
    tell (options, "%s: all moments are compared; '--method faiss' makes an index that later searches use (%s)", folder, *reason);
  return score_exactly (search, database, folder, query, options, error);
}

/* Without scores if there are no lists that are up to date, and they are wanted: @reason says why. */
static RvmSearch *
search_once (RvmDatabase *database, const char *folder, const RvmQuery *query, const RvmSearchOptions *options, char **reason, GError **error)
{
  g_autoptr (RvmSearch) search = g_new0 (RvmSearch, 1);
  const gint64 begin = g_get_monotonic_time ();
  gboolean ok;

  if (!rvm_database_hold (database, error))
    return NULL;
  ok = score_all (search, database, folder, query, options, options->method == RVM_METHOD_FAISS, reason, error);
  ok = rvm_database_let_go (database, ok ? error : NULL) && ok;
  search->seconds = (g_get_monotonic_time () - begin) / 1e6;
  if (ok && search->method == RVM_METHOD_EXACT)
    search->compared = search->table->n;
  return ok ? g_steal_pointer (&search) : NULL;
}

RvmSearch *
rvm_search_run (RvmDatabase *database, const char *folder, const RvmQuery *query, const RvmSearchOptions *options, GError **error)
{
  const RvmVectorOf kind = get_kind (options);
  g_autofree char *reason = NULL, *again = NULL;
  g_autoptr (RvmSearch) search = NULL;

  if (query->region && options->by != RVM_BY_FEATURES) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "regions are compared by features, not by colours");
    return NULL;
  }
  if (options->method == RVM_METHOD_FAISS && !check_method (database, query, options, kind, error))
    return NULL;
  search = search_once (database, folder, query, options, &reason, error);
  if (search == NULL || search->scores)
    return g_steal_pointer (&search);
  g_clear_pointer (&search, rvm_search_free);
  if (!make_again (database, folder, kind, options, reason, error))
    return NULL;
  search = search_once (database, folder, query, options, &again, error);
  if (search && search->scores == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: the index for FAISS cannot be used, although it was just made: %s", folder, again);
    return NULL;
  }
  return g_steal_pointer (&search);
}
