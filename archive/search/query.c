/* A moment of the archive is the nearest one to the time that was asked for. Elsewhere the video is analysed for some seconds up to that time, so that the
 * state has settled, and a picture as a video that stands still. */
#include "query.h"

#include <math.h>
#include <string.h>

#include "archive/look/colours.h"
#include "archive/look/features_file.h"
#include "archive/look/summary.h"
#include "kernels/error.h"
#include "kernels/half.h"
#include "model/stream.h"
#include "video/reader.h"

#define BEFORE (4 * G_GINT64_CONSTANT (1000000000)) /* analysed before the moment */
enum { PASSES = 4 /* over a picture */ };

void
rvm_query_free (RvmQuery *query)
{
  if (query == NULL)
    return;
  g_free (query->path);
  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++)
    g_free (query->vectors[kind]);
  g_free (query->region);
  g_free (query);
}

/* Splits "video.mp4@12.5"; a file of that whole name comes first. @time: -1 without one. */
static gboolean
parse (const char *what, char **path, gint64 *time, GError **error)
{
  const char *at = strrchr (what, '@');
  g_autofree char *name = NULL;
  char *end;
  double seconds = -1;

  *time = -1;
  if (at && !g_file_test (what, G_FILE_TEST_EXISTS)) {
    seconds = g_ascii_strtod (at + 1, &end);
    if (at[1] == '\0' || *end || !(seconds >= 0 && seconds < 1e9)) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: expected VIDEO@SECONDS, such as video.mp4@12.5, or a picture", what);
      return FALSE;
    }
    *time = llrint (seconds * 1e9);
    name = g_strndup (what, at - what);
  }
  *path = rvm_record_get_path_of (name ? name : what, error);
  return *path != NULL;
}

static float *
to_floats (const guint16 *halves, gsize n)
{
  float *values = g_new (float, n);

  for (gsize i = 0; i < n; i++)
    values[i] = rvm_half_to_float (halves[i]);
  return values;
}

/* The vector of moment @index of a kind; NULL without an error if there is none. */
static gboolean
read_one (RvmDatabase *database, const RvmRecord *record, RvmVectorOf kind, gsize index, float **values, GError **error)
{
  g_autoptr (GError) reason = NULL;
  const gsize size = rvm_vector_get_size (rvm_database_get_settings (database), kind);
  g_autoptr (GBytes) bytes = rvm_database_read_vectors (database, record, kind, &reason);

  if (bytes)
    *values = to_floats ((const guint16 *) (const void *) ((const guint8 *) g_bytes_get_data (bytes, NULL) + index * size), size / sizeof (guint16));
  else if (!g_error_matches (reason, RVM_ERROR, RVM_ERROR_ARGUMENT)) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return FALSE;
  }
  return TRUE;
}

static gboolean
take_region (RvmQuery *query, const RvmRegion *region, const RvmRecord *shape, guint dim, const float *patches, GError **error)
{
  g_autofree float *cover = region->given ? rvm_region_cover (region, shape, &query->share, error) : NULL;

  if (!region->given)
    return TRUE;
  if (cover == NULL)
    return FALSE;
  query->region = g_new0 (float, dim);
  rvm_region_average (cover, patches, shape->rows * shape->columns, dim, query->region);
  return TRUE;
}

static gboolean
fail_after_end (const RvmQuery *query, GError **error)
{
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: ends before %.2f s", query->path, query->time / 1e9);
  return FALSE;
}

/* Takes the moment from the archive. */
static gboolean
take_known (RvmQuery *query, RvmDatabase *database, const char *folder, const RvmRecord *record, const RvmRegion *region, GError **error)
{
  const guint dim = rvm_database_get_settings (database)->dim;
  const gsize patches = (gsize) record->rows * record->columns * dim;
  g_autoptr (GBytes) times = rvm_database_read_vectors (database, record, RVM_VECTOR_TIMES, error), features = NULL;
  const gint64 *each = times ? g_bytes_get_data (times, NULL) : NULL;
  g_autofree char *path = record->features ? g_build_filename (folder, record->features, NULL) : NULL;
  g_autofree float *values = NULL;
  gint64 best = 0;

  if (times == NULL)
    return FALSE;
  if (query->time > MAX (each[record->moments - 1], each[0] + MAX (record->duration, 0)))
    return fail_after_end (query, error);
  for (gint64 i = 1; i < record->moments; i++)
    if (ABS (each[i] - query->time) < ABS (each[best] - query->time))
      best = i;
  query->time = each[best];
  query->known = TRUE;
  for (guint kind = RVM_VECTOR_CLASS; kind < RVM_VECTOR_KINDS; kind++)
    if (!read_one (database, record, kind, best, &query->vectors[kind], error))
      return FALSE;
  if (!region->given)
    return TRUE;
  features = rvm_features_file_map (path, record->moments, record->rows, record->columns, dim, error);
  if (features == NULL)
    return FALSE;
  values = to_floats ((const guint16 *) g_bytes_get_data (features, NULL) + best * patches, patches);
  return take_region (query, region, record, dim, values, error);
}

typedef struct {
  RvmReader *reader;
  RvmStream *stream;
  float *features;
} Analysis;

static void
analysis_clear (Analysis *a)
{
  g_clear_pointer (&a->stream, rvm_stream_free);
  g_clear_pointer (&a->reader, rvm_reader_free);
  g_free (a->features);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Analysis, analysis_clear)

/* Analyses frames as the archive's were chosen, up to query->time; those long before only count. */
static gboolean
push_frames (Analysis *a, RvmQuery *query, const RvmSettings *settings, guint width, guint height, GError **error)
{
  const gint64 step = settings->rate_n ? (gint64) (settings->rate_d * 1e9 / settings->rate_n) : 0;
  const gboolean is_picture = query->time < 0;
  gboolean over = FALSE; /* the moment was read, and a frame after it */
  g_autofree guint8 *last = g_malloc ((gsize) width * height * 3);
  gint64 due = G_MININT64, found = -1, shown = -1, lasts = 0; /* the last frame's time and length */
  guint64 pts, frame = 0, pushed = 0;
  g_autoptr (GError) reason = NULL;

  while (rvm_reader_peek (a->reader, &pts, &reason)) {
    const gint64 time = pts == G_MAXUINT64 ? 0 : (gint64) pts;
    const gboolean wanted = settings->rate_n ? time >= due : frame % (settings->interval + 1) == 0;
    const guint8 *pixels;

    if (!is_picture && time > query->time && pushed) {
      over = TRUE;
      break;
    }
    lasts = frame++ && time > shown ? time - shown : lasts;
    shown = time;
    if (!wanted || (!is_picture && time < query->time - BEFORE)) {
      rvm_reader_drop (a->reader);
      continue;
    }
    if (is_picture && pushed)
      return rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: is a video: VIDEO@SECONDS says which moment of it, such as video.mp4@12.5", query->path), FALSE;
    pixels = rvm_reader_next (a->reader, NULL, &reason);
    if (pixels == NULL)
      break;
    if (!rvm_stream_push (a->stream, pixels, (gsize) width * 3, is_picture ? PASSES : 1, a->features, NULL, error))
      return FALSE;
    memcpy (last, pixels, (gsize) width * height * 3);
    due = time + step;
    found = time;
    pushed++;
  }
  if (pushed == 0 || (!over && !is_picture && query->time > shown + lasts)) {
    if (reason == NULL)
      return fail_after_end (query, error);
    g_propagate_error (error, g_steal_pointer (&reason));
    return FALSE;
  }
  query->time = found;
  query->vectors[RVM_VECTOR_COLOURS] = g_new (float, RVM_COLOURS);
  rvm_colours_measure (last, (gsize) width * height, NULL, query->vectors[RVM_VECTOR_COLOURS]);
  return TRUE;
}

static gboolean
analyse (RvmQuery *query, RvmModel *model, const RvmSettings *settings, const RvmRegion *region, GError **error)
{
  g_auto (Analysis) a = { 0 };
  g_autoptr (RvmRecord) shape = rvm_record_new (query->path);
  guint width, height, n, d, tokens;
  const guint dim = settings->dim;

  a.reader = rvm_reader_new_patches (query->path, rvm_model_get_config (model)->patch, settings->size, error);
  if (a.reader == NULL)
    return FALSE;
  width = rvm_reader_get_width (a.reader);
  height = rvm_reader_get_height (a.reader);
  a.stream = rvm_stream_new (model, width, height, RVM_STREAM_DEFAULT, error);
  if (a.stream == NULL)
    return FALSE;
  tokens = rvm_stream_get_tokens (a.stream);
  a.features = g_new (float, (gsize) tokens * dim);
  rvm_view_get_size (rvm_reader_get_view (a.reader), &n, &d);
  shape->width = n;
  shape->height = d;
  shape->rows = rvm_stream_get_rows (a.stream);
  shape->columns = rvm_stream_get_columns (a.stream);
  if (!push_frames (&a, query, settings, width, height, error))
    return FALSE;
  query->vectors[RVM_VECTOR_CLASS] = g_memdup2 (a.features, dim * sizeof (float));
  query->vectors[RVM_VECTOR_SUMMARY] = g_new (float, 2 * dim);
  rvm_summary_measure (a.features + dim, tokens - 1, dim, query->vectors[RVM_VECTOR_SUMMARY]);
  query->vectors[RVM_VECTOR_MEAN] = g_memdup2 (query->vectors[RVM_VECTOR_SUMMARY], dim * sizeof (float));
  return take_region (query, region, shape, dim, a.features + dim, error);
}

RvmQuery *
rvm_query_new (RvmDatabase *database, const char *folder, const char *what, const RvmRegion *region, RvmQueryModel model, gpointer user_data, GError **error)
{
  g_autoptr (RvmQuery) query = g_new0 (RvmQuery, 1);
  g_autoptr (RvmRecord) record = NULL;
  g_autoptr (GError) reason = NULL;
  RvmModel *loaded;

  if (!parse (what, &query->path, &query->time, error))
    return NULL;
  record = rvm_database_find (database, query->path, &reason);
  if (reason) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return NULL;
  }
  /* A picture of the archive is its only moment. */
  if (record && record->moments > 0 && (query->time >= 0 || record->moments == 1) && (!region->given || record->features))
    return take_known (query, database, folder, record, region, error) ? g_steal_pointer (&query) : NULL;
  loaded = model (user_data, error);
  return loaded && analyse (query, loaded, rvm_database_get_settings (database), region, error) ? g_steal_pointer (&query) : NULL;
}
