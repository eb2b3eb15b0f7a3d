/* Which frames are analysed follows from their number (interval) or their times (rate). A frame without a time ends the analysis, because nobody could
 * find it again. */
#include "moments.h"

#include <math.h>
#include <string.h>

#include "colours.h"
#include "kernels/error.h"
#include "kernels/half.h"
#include "model/stream.h"
#include "summary.h"
#include "video/reader.h"

#define NO_TIME G_MAXUINT64 /* as GStreamer has it */

typedef struct {
  const RvmLook *look;
  RvmMoments *moments;
  RvmReader *reader;
  RvmStream *stream;
  guint64 first, last, step, due; /* times; due: the earliest of the next moment, by rate */
  guint until;                    /* frames to skip, by interval */
  float *features, *bins, *summary;
  guint16 *halves;
} Analysis;

void
rvm_moments_clear (RvmMoments *moments)
{
  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++)
    g_clear_pointer (&moments->vectors[kind], g_byte_array_unref);
  g_clear_pointer (&moments->features, rvm_features_file_free);
  g_clear_pointer (&moments->reason, g_free);
}

static void
analysis_clear (Analysis *a)
{
  g_clear_pointer (&a->stream, rvm_stream_free);
  g_clear_pointer (&a->reader, rvm_reader_free);
  g_free (a->features);
  g_free (a->bins);
  g_free (a->summary);
  g_free (a->halves);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Analysis, analysis_clear)

/* What is wrong with the file, without its name in front. */
static void
give_reason (Analysis *a, const char *path, const char *message)
{
  g_autofree char *prefix = g_strconcat (path, ": ", NULL), *shown = NULL;

  g_free (a->moments->reason);
  shown = g_utf8_make_valid (g_str_has_prefix (message, prefix) ? message + strlen (prefix) : message, -1);
  a->moments->reason = g_steal_pointer (&shown);
}

static gboolean
begin (Analysis *a, const char *path, GError **error)
{
  const RvmSettings *settings = &a->look->settings;
  const guint patch = rvm_model_get_config (a->look->model)->patch;
  RvmMoments *m = a->moments;
  gsize tokens, dim;

  a->reader = rvm_reader_new_patches (path, patch, settings->size, error);
  if (a->reader == NULL)
    return FALSE;
  m->analysis_width = rvm_reader_get_width (a->reader);
  m->analysis_height = rvm_reader_get_height (a->reader);
  a->stream = rvm_stream_new (a->look->model, m->analysis_width, m->analysis_height, RVM_STREAM_DEFAULT, error);
  if (a->stream == NULL)
    return FALSE;
  rvm_view_get_size (rvm_reader_get_view (a->reader), &m->width, &m->height);
  rvm_view_get_pixel_aspect (rvm_reader_get_view (a->reader), &m->pixel_n, &m->pixel_d);
  m->rows = rvm_stream_get_rows (a->stream);
  m->columns = rvm_stream_get_columns (a->stream);
  tokens = rvm_stream_get_tokens (a->stream);
  dim = rvm_stream_get_dim (a->stream);
  a->features = g_new (float, tokens * dim);
  a->halves = g_new (guint16, MAX (MAX (tokens, 2) * dim, RVM_COLOURS));
  a->summary = g_new (float, 2 * dim);
  a->bins = g_new (float, RVM_COLOURS);
  m->vectors[RVM_VECTOR_TIMES] = g_byte_array_new ();
  m->vectors[RVM_VECTOR_COLOURS] = g_byte_array_new ();
  if (settings->parts & RVM_PART_CLASS)
    m->vectors[RVM_VECTOR_CLASS] = g_byte_array_new ();
  if (settings->parts & RVM_PART_MEAN)
    m->vectors[RVM_VECTOR_MEAN] = g_byte_array_new ();
  if (settings->parts & RVM_PART_SUMMARY)
    m->vectors[RVM_VECTOR_SUMMARY] = g_byte_array_new ();
  return TRUE;
}

/* Whether the frame of time @pts is a moment. */
static gboolean
is_due (Analysis *a, guint64 pts)
{
  const RvmSettings *settings = &a->look->settings;

  if (settings->rate_n == 0) {
    const gboolean due = a->until == 0;

    a->until = due ? settings->interval : a->until - 1;
    return due;
  }
  if (pts < a->due)
    return FALSE;
  a->due = a->first + gst_util_uint64_scale_ceil (gst_util_uint64_scale (pts - a->first, settings->rate_n, settings->rate_d * GST_SECOND) + 1,
      settings->rate_d * GST_SECOND, settings->rate_n);
  return TRUE;
}

/* Notes the time of a frame. FALSE: it has none. */
static gboolean
note_time (Analysis *a, const char *path, guint64 pts)
{
  RvmMoments *m = a->moments;

  if (pts == NO_TIME && m->frames == 0)
    pts = 0; /* a picture */
  if (pts == NO_TIME) {
    g_autofree char *reason = g_strdup_printf ("frame %" G_GUINT64_FORMAT " has no time", m->frames + 1);
    give_reason (a, path, reason);
    return FALSE;
  }
  if (m->frames == 0)
    a->first = a->last = a->due = pts;
  if (pts > a->last)
    a->step = pts - a->last;
  a->last = MAX (a->last, pts);
  m->frames++;
  m->duration = a->last - a->first + a->step;
  return TRUE;
}

/* FALSE: a value is too large. */
static gboolean
halve (Analysis *a, const float *values, gsize n)
{
  gboolean fits = TRUE;

  for (gsize i = 0; i < n; i++) {
    a->halves[i] = rvm_float_to_half (values[i]);
    fits = fits && (a->halves[i] & 0x7c00) != 0x7c00;
  }
  return fits;
}

static gboolean
keep (Analysis *a, RvmVectorOf kind, const float *values, gsize n)
{
  if (a->moments->vectors[kind] == NULL)
    return TRUE;
  if (!halve (a, values, n))
    return FALSE;
  g_byte_array_append (a->moments->vectors[kind], (const guint8 *) a->halves, n * sizeof *a->halves);
  return TRUE;
}

static gboolean
keep_patches (Analysis *a, const char *path, const float *patches, gsize n, GError **error)
{
  RvmMoments *m = a->moments;

  if (m->features == NULL)
    m->features = rvm_features_file_new (a->look->folder, path, m->rows, m->columns, rvm_stream_get_dim (a->stream), error);
  if (m->features == NULL)
    return FALSE;
  if (!halve (a, patches, n)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: features are too large for float16, which has values up to 65504", path);
    return FALSE;
  }
  for (gsize i = 0; i < n; i++) {
    m->greatest = MAX (m->greatest, fabs ((double) patches[i]));
    m->greatest_error = MAX (m->greatest_error, fabs ((double) patches[i] - rvm_half_to_float (a->halves[i])));
  }
  return rvm_features_file_append (m->features, a->halves, error);
}

/* Analyses a picture. RVM_ERROR_MODEL is the video's fault: what the model makes of it cannot be kept. */
static gboolean
add_moment (Analysis *a, const char *path, const guint8 *pixels, guint64 pts, GError **error)
{
  const gsize dim = rvm_stream_get_dim (a->stream), patches = rvm_stream_get_tokens (a->stream) - 1;
  const gint64 time = pts == NO_TIME ? 0 : (gint64) pts;
  RvmMoments *m = a->moments;

  if (!rvm_stream_push (a->stream, pixels, (gsize) m->analysis_width * 3, 1, a->features, NULL, error))
    return FALSE;
  rvm_summary_measure (a->features + dim, patches, dim, a->summary);
  rvm_colours_measure (pixels, (gsize) m->analysis_width * m->analysis_height, NULL, a->bins);
  if (a->look->settings.parts & RVM_PART_PATCHES && !keep_patches (a, path, a->features + dim, patches * dim, error))
    return FALSE;
  if (!keep (a, RVM_VECTOR_CLASS, a->features, dim) || !keep (a, RVM_VECTOR_MEAN, a->summary, dim)
      || !keep (a, RVM_VECTOR_SUMMARY, a->summary, 2 * dim) || !keep (a, RVM_VECTOR_COLOURS, a->bins, RVM_COLOURS)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: features are too large for float16, which has values up to 65504", path);
    return FALSE;
  }
  g_byte_array_append (m->vectors[RVM_VECTOR_TIMES], (const guint8 *) &time, sizeof time);
  m->moments++;
  return TRUE;
}

static void
check_length (Analysis *a, const char *path)
{
  guint64 end, duration;

  if (a->moments->reason == NULL && rvm_reader_ended_early (a->reader, &end, &duration)) {
    g_autofree char *reason = g_strdup_printf ("ends after %.2f s, but should last %.2f s: it seems to be cut short", end / 1e9, duration / 1e9);
    give_reason (a, path, reason);
  }
}

RvmLookResult
rvm_moments_analyse (const RvmLook *look, const char *path, gint *milliseconds, RvmMoments *moments, GError **error)
{
  g_auto (Analysis) a = { .look = look, .moments = moments };
  g_autoptr (GError) reason = NULL;
  guint64 pts;

  if (!begin (&a, path, &reason)) {
    if (g_error_matches (reason, RVM_ERROR, RVM_ERROR_DEVICE) || g_error_matches (reason, RVM_ERROR, RVM_ERROR_LAUNCH)) {
      g_propagate_error (error, g_steal_pointer (&reason));
      return RVM_LOOK_FAILED;
    }
    give_reason (&a, path, reason->message);
    return RVM_LOOK_SEEN;
  }
  while (rvm_reader_peek (a.reader, &pts, &reason) && note_time (&a, path, pts)) {
    const guint8 *pixels = NULL;

    if (look->stop && g_atomic_int_get (look->stop))
      return RVM_LOOK_STOPPED;
    if (milliseconds)
      g_atomic_int_set (milliseconds, MIN (moments->duration / 1000000, G_MAXINT));
    if (!is_due (&a, a.moments->frames == 1 ? a.first : pts)) {
      rvm_reader_drop (a.reader);
      continue;
    }
    pixels = rvm_reader_next (a.reader, NULL, &reason);
    if (pixels == NULL)
      break;
    if (!add_moment (&a, path, pixels, pts, &reason)) {
      if (g_error_matches (reason, RVM_ERROR, RVM_ERROR_MODEL)) {
        moments->moments = 0; /* some of the moment may have been kept */
        break;
      }
      g_propagate_error (error, g_steal_pointer (&reason));
      return RVM_LOOK_FAILED;
    }
  }
  if (reason)
    give_reason (&a, path, reason->message);
  check_length (&a, path);
  return RVM_LOOK_SEEN;
}
