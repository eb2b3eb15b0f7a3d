/* Whole pictures are compared by one vector each, regions by all patches, file after file, which are mapped and not kept. */
#include "search.h"

#include <math.h>
#include <string.h>

#include "archive/look/features_file.h"
#include "kernels/error.h"
#include "nearest.h"

enum { SAMPLES = 65536 /* patches that say what all have in common */ };

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
    standard = rvm_standard_new (table->halves, table->n, table->dim);
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
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: keeps no patches, which regions are compared by: --parts class,mean,patches of 'index' keeps them", folder);
    return NULL;
  }
  return rvm_standard_new ((const guint16 *) (const void *) samples->data, samples->len / dim / sizeof (guint16), dim);
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

static gboolean
score_all (RvmSearch *search, RvmDatabase *database, const char *folder, const RvmQuery *query, RvmSearchBy by, RvmVectorOf kind, GError **error)
{
  if (query->region)
    return score_regions (search, database, folder, query, error);
  if (by == RVM_BY_COLOURS)
    return add_scores (search, database, RVM_VECTOR_COLOURS, query->colours, 1, error);
  if (!add_scores (search, database, kind, kind == RVM_VECTOR_MEAN ? query->mean : query->token, by == RVM_BY_BOTH ? 0.5f : 1, error))
    return FALSE;
  return by == RVM_BY_FEATURES || add_scores (search, database, RVM_VECTOR_COLOURS, query->colours, 0.5f, error);
}

RvmSearch *
rvm_search_run (RvmDatabase *database, const char *folder, const RvmQuery *query, RvmSearchBy by, RvmVectorOf kind, GError **error)
{
  g_autoptr (RvmSearch) search = g_new0 (RvmSearch, 1);
  const gint64 begin = g_get_monotonic_time ();
  gboolean ok;

  if (query->region && by != RVM_BY_FEATURES) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "regions are compared by features, not by colours");
    return NULL;
  }
  if (!rvm_database_hold (database, error))
    return NULL;
  ok = score_all (search, database, folder, query, by, kind, error);
  ok = rvm_database_let_go (database, ok ? error : NULL) && ok;
  search->seconds = (g_get_monotonic_time () - begin) / 1e6;
  return ok ? g_steal_pointer (&search) : NULL;
}
