/* The life of a frame in the plugin: convert, push, keep the features, attach.
 * The model's part of it is model/stream.c. */
#include "encode_session.h"

#include <math.h>
#include <unistd.h>

#include "video/analysis.h"
#include "video/stillness.h"
#include "analytics.h"
#include "meta/gstrvmfields.h"
#include "profile_report.h"
#include "model/scene.h"

/* The state has settled after this many frames: on a still picture it moves by 7 to 9 % in the second frame, by 1 to 2 % in the third, by .3 to .5 % in
 * the fourth and by .1 % in the fifth (bundled model). Until then a still frame is computed like any other, because its features still change. */
#define SETTLED 4

struct _RvmEncodeSession
{
  RvmModel *model;
  RvmStream *stream;            /* NULL before the first configuration */
  RvmAnalysis *analysis;
  guint width, height;          /* of the analysis picture */
  gboolean fresh;               /* the next analysed frame starts a generation */
  gboolean same_stream;         /* the restored state's time is of this stream */
  GstRvmFeatureMeta now;        /* the latest features and their origin, not attached
                                 * to a buffer. Its data is NULL until the first frame
                                 * of a state or a source has been analysed */
  RvmState *state;              /* after the last analysed frame; NULL before the first */
  gfloat *encoded[2];           /* of the last two analysed frames, the latest first;
                                 * for scene cuts */
  gboolean have_encoded;        /* encoded[0] is of the last analysed frame */
  RvmStillness *stillness;      /* keeps the last computed frame; NULL unless still
                                 * frames are looked for */
  guint still;                  /* frames since that one, all of them still */
};

static void
free_encoded (RvmEncodeSession * session)
{
  g_clear_pointer (&session->encoded[0], g_free);
  g_clear_pointer (&session->encoded[1], g_free);
  session->have_encoded = FALSE;
}

static void
forget_origin (RvmEncodeSession * session)
{
  session->now.frames_since_reset = 0;
  session->now.restored = FALSE;
  session->now.restored_pts = GST_CLOCK_TIME_NONE;
  session->now.restored_age = GST_CLOCK_TIME_NONE;
}

/* A number that nobody else uses, in this process or in another. GLib's generator is no help here: after fork() parent and child would
 * get the same numbers from it. */
static guint64
make_source_id (void)
{
  static gint count;
  guint64 id = 0;

  if (getentropy (&id, sizeof id) != 0)
    id = (guint64) g_get_real_time () * 0x9e3779b97f4a7c15u ^ (guint64) getpid () << 40 ^ (guint) g_atomic_int_add (&count, 1);
  /* Files hold it as a signed number, and 0 is "unknown". */
  return MAX (id & G_MAXINT64, 1);
}

RvmEncodeSession *
rvm_encode_session_new (RvmModel * model, const gchar * encoder)
{
  RvmEncodeSession *session = g_new0 (RvmEncodeSession, 1);

  session->model = rvm_model_ref (model);
  session->fresh = TRUE;
  gst_rvm_fields_init (&gst_rvm_feature_fields, GST_RVM_IN_META, &session->now);
  session->now.encoder = g_utf8_make_valid (encoder, -1);
  session->now.source = make_source_id ();
  return session;
}

void
rvm_encode_session_begin_stream (RvmEncodeSession * session, const gchar * stream_id)
{
  g_free (session->now.stream_id);
  session->now.stream_id = stream_id ? g_utf8_make_valid (stream_id, -1) : NULL;
  session->now.source = make_source_id ();
  session->now.update = 0;
  /* Even if the state goes on, these features belong to the picture of another stream. */
  g_clear_pointer (&session->now.data, g_bytes_unref);
}

void
rvm_encode_session_free (RvmEncodeSession * session)
{
  if (session == NULL)
    return;
  g_clear_pointer (&session->now.data, g_bytes_unref);
  gst_rvm_fields_clear (&gst_rvm_feature_fields, GST_RVM_IN_META, &session->now);
  g_clear_pointer (&session->state, rvm_state_unref);
  free_encoded (session);
  g_clear_pointer (&session->stillness, rvm_stillness_free);
  if (session->stream)
    rvm_profile_report_frame (session->stream, TRUE);
  g_clear_pointer (&session->stream, rvm_stream_free);
  g_clear_pointer (&session->analysis, rvm_analysis_free);
  rvm_model_unref (session->model);
  g_free (session);
}

void
rvm_encode_session_reset (RvmEncodeSession * session)
{
  session->fresh = TRUE;
  session->have_encoded = FALSE;
  forget_origin (session);
  g_clear_pointer (&session->now.data, g_bytes_unref);
  g_clear_pointer (&session->state, rvm_state_unref);
}

gboolean
rvm_encode_session_restore (RvmEncodeSession * session,
    const RvmState * state, const gchar * what, gboolean same_stream,
    GError ** error)
{
  g_return_val_if_fail (session->stream != NULL, FALSE);

  if (!rvm_state_fits (state, session->model, session->width, session->height,
          what, error))
    return FALSE;
  rvm_encode_session_reset (session);
  if (!rvm_stream_set_state (session->stream, state, error))
    return FALSE;
  session->now.frames_since_reset = state->frames;
  session->now.restored = TRUE;
  session->now.restored_pts = state->time;
  session->same_stream = same_stream;
  return TRUE;
}

gboolean
rvm_encode_session_change_model (RvmEncodeSession * session, RvmModel * model,
    RvmStream * stream, gboolean keep_state)
{
  const guint patch = rvm_model_get_config (model)->patch;
  const gboolean same_size = session->stream
      && patch == rvm_model_get_config (session->model)->patch;
  gboolean kept;

  if (stream && (!same_size
          || rvm_stream_get_columns (stream) * patch != session->width
          || rvm_stream_get_rows (stream) * patch != session->height))
    g_clear_pointer (&stream, rvm_stream_free);
  /* A failure is not reported here: the next configuration tries again and
   * reports it if it persists. */
  if (stream == NULL && same_size)
    stream = rvm_stream_new (model, session->width, session->height,
        rvm_profile_report_get_flags (), NULL);
  kept = keep_state && stream && session->state && !session->fresh
      && rvm_stream_set_state (stream, session->state, NULL);

  if (!kept)
    rvm_encode_session_reset (session);
  /* Carried features would come from the old weights. */
  g_clear_pointer (&session->now.data, g_bytes_unref);
  free_encoded (session);
  g_clear_pointer (&session->stream, rvm_stream_free);
  session->stream = stream;
  rvm_model_unref (session->model);
  session->model = rvm_model_ref (model);
  return kept;
}

gboolean
rvm_encode_session_configure (RvmEncodeSession * session,
    const RvmView * view, const RvmEncodeRequest * request, GError ** error)
{
  const guint patch = rvm_model_get_config (session->model)->patch;
  guint width, height;

  if (!rvm_analysis_choose_size (view, patch, request->size, request->width,
          request->height, &width, &height, error))
    return FALSE;
  if (session->analysis == NULL || width != session->width
      || height != session->height
      || !rvm_view_is_equal (rvm_analysis_get_view (session->analysis), view)) {
    g_clear_pointer (&session->analysis, rvm_analysis_free);
    session->analysis = rvm_analysis_new (view, GST_VIDEO_FORMAT_RGB, width,
        height, error);
    if (session->analysis == NULL)
      return FALSE;
  }
  if (session->stream && width == session->width && height == session->height)
    return TRUE;

  rvm_encode_session_reset (session);
  free_encoded (session);
  g_clear_pointer (&session->stream, rvm_stream_free);
  session->stream = rvm_stream_new (session->model, width, height,
      rvm_profile_report_get_flags (), error);
  session->width = width;
  session->height = height;
  return session->stream != NULL;
}

/* The requested rows. The class token is copied, because a view of it would keep
 * all patches in memory. */
static GBytes *
select_parts (GBytes * all, guint parts, gsize token)
{
  switch (parts) {
    case 0:
      return g_bytes_new_static ("", 0);
    case GST_RVM_FEATURE_CLASS:
      return g_bytes_new (g_bytes_get_data (all, NULL), token);
    case GST_RVM_FEATURE_PATCHES:
      return g_bytes_new_from_bytes (all, token, g_bytes_get_size (all) - token);
    default:
      return g_bytes_ref (all);
  }
}

/* Records the origin of @all, the values of the state after @buffer's frame. */
static void
note_frame (RvmEncodeSession * session, GstBuffer * buffer, GBytes * all)
{
  GstRvmFeatureMeta *now = &session->now;
  const gchar *model_id = rvm_model_get_id (session->model);
  const GstClockTime pts = GST_BUFFER_PTS (buffer);

  if (session->fresh && now->restored && session->same_stream
      && GST_CLOCK_TIME_IS_VALID (pts)
      && GST_CLOCK_TIME_IS_VALID (now->restored_pts)
      && pts >= now->restored_pts)
    now->restored_age = pts - now->restored_pts;
  now->generation += session->fresh;
  session->fresh = FALSE;
  now->frames_since_reset++;
  now->update++;
  now->update_pts = pts;
  now->rows = rvm_stream_get_rows (session->stream);
  now->columns = rvm_stream_get_columns (session->stream);
  now->dim = rvm_stream_get_dim (session->stream);
  now->analysis_width = session->width;
  now->analysis_height = session->height;
  if (g_strcmp0 (now->model_id, model_id) != 0) {
    g_free (now->model_id);
    now->model_id = g_strdup (model_id);
  }
  g_clear_pointer (&session->state, rvm_state_unref);
  session->state = rvm_state_new (session->model, session->width,
      session->height, all, now->frames_since_reset, pts);
}

/* Compares the frame, which was just pushed, with the one before; if they are of
 * different scenes, it becomes the first of a new generation. */
static gboolean
watch_scene (RvmEncodeSession * session, const RvmEncodeRequest * request,
    gfloat * values, RvmEncodeResult * result, GError ** error)
{
  const guint tokens = rvm_stream_get_tokens (session->stream);
  const guint dim = rvm_stream_get_dim (session->stream);
  gfloat *now = session->encoded[1];

  if (now == NULL)
    now = g_new (gfloat, (gsize) tokens * dim);
  session->encoded[1] = session->encoded[0];
  session->encoded[0] = now;
  if (!rvm_stream_read_encoded (session->stream, now, error))
    return FALSE;
  if (session->have_encoded)
    result->similarity =
        rvm_scene_similarity (session->encoded[1], now, tokens - 1, dim);
  session->have_encoded = TRUE;
  if (session->fresh || !(result->similarity < request->scene_threshold))
    return TRUE;
  result->scene_cut = TRUE;
  rvm_encode_session_reset (session);
  session->have_encoded = TRUE;
  return rvm_stream_begin_with_last (session->stream, 1 + request->warm_up,
      values, &result->health, error);
}

/* Computes the @values of the state after a picture. On failure the stream's
 * state is zeros. */
static gboolean
run_model (RvmEncodeSession * session, const guint8 * pixels, gsize stride,
    const RvmEncodeRequest * request, gfloat * values,
    RvmEncodeResult * result, GError ** error)
{
  const gboolean cold = session->fresh && !session->now.restored;

  if (cold)
    rvm_stream_reset (session->stream);
  if (!rvm_stream_push (session->stream, pixels, stride,
          cold ? 1 + request->warm_up : 1, values, &result->health, error))
    return FALSE;
  rvm_profile_report_frame (session->stream, FALSE);
  if (!request->watch_scene)
    session->have_encoded = FALSE;
  else if (!watch_scene (session, request, values, result, error))
    return FALSE;
  result->gates_measured = request->measure_gates;
  return !request->measure_gates || rvm_stream_measure_gates (session->stream,
      &result->update_gate, &result->reset_gate, error);
}

/* Whether the picture, which was just converted, is one that need not be computed. */
static gboolean
is_still (RvmEncodeSession * session, const guint8 * pixels, gsize stride,
    const RvmEncodeRequest * request)
{
  gdouble change;

  if (!request->reuse_still) {
    g_clear_pointer (&session->stillness, rvm_stillness_free);
    return FALSE;
  }
  if (session->stillness
      && (rvm_stillness_get_width (session->stillness) != session->width
          || rvm_stillness_get_height (session->stillness) != session->height))
    g_clear_pointer (&session->stillness, rvm_stillness_free);
  if (session->stillness == NULL)
    session->stillness = rvm_stillness_new (session->width, session->height);
  change = rvm_stillness_measure (session->stillness, pixels, stride);
  if (rvm_encode_session_has_features (session)
      && session->now.frames_since_reset >= SETTLED
      && session->still < request->reuse_longest
      && change <= request->reuse_threshold) {
    session->still++;
    return TRUE;
  }
  rvm_stillness_keep (session->stillness);
  session->still = 0;
  return FALSE;
}

gboolean
rvm_encode_session_analyse (RvmEncodeSession * session, GstBuffer * buffer,
    const RvmEncodeRequest * request, RvmEncodeResult * result,
    GError ** error)
{
  const gsize token = rvm_stream_get_dim (session->stream) * sizeof (gfloat);
  const gsize size = rvm_stream_get_tokens (session->stream) * token;
  g_autoptr (GBytes) all = NULL;
  const guint8 *pixels;
  gfloat *values;

  pixels = rvm_analysis_convert (session->analysis, buffer, error);
  if (pixels == NULL)
    return FALSE;
  *result = (RvmEncodeResult) {.similarity = NAN };
  result->still = is_still (session, pixels, rvm_analysis_get_stride (session->analysis), request);
  if (result->still)
    return TRUE;
  values = g_malloc (size);
  all = g_bytes_new_take (values, size);
  if (!run_model (session, pixels, rvm_analysis_get_stride (session->analysis),
          request, values, result, error)) {
    g_prefix_error (error, "at the frame of time %" GST_TIME_FORMAT ": ",
        GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));
    rvm_encode_session_reset (session);
    return FALSE;
  }
  result->began = session->fresh;
  note_frame (session, buffer, all);
  session->now.parts = request->parts;
  g_clear_pointer (&session->now.data, g_bytes_unref);
  session->now.data = select_parts (all, request->parts, token);
  return TRUE;
}

gboolean
rvm_encode_session_has_features (const RvmEncodeSession * session)
{
  return session->now.data != NULL;
}

void
rvm_encode_session_attach (const RvmEncodeSession * session,
    GstBuffer * buffer, gboolean carried, guint64 carried_count,
    guint64 dropped_count)
{
  const RvmView *view = rvm_analysis_get_view (session->analysis);
  const GstRvmFeatureMeta *now = &session->now;
  GstRvmFeatureMeta *meta;

  if (now->parts == 0)
    return;
  meta = gst_rvm_buffer_add_feature_meta (buffer, now->parts, now->rows,
      now->columns, now->dim, now->data, NULL);
  g_return_if_fail (meta != NULL);
  gst_rvm_fields_copy (&gst_rvm_feature_fields, GST_RVM_IN_META, now,
      GST_RVM_IN_META, meta);
  meta->carried = carried;
  meta->carried_count = carried_count;
  meta->dropped_count = dropped_count;
  rvm_view_get_size (view, &meta->frame_width, &meta->frame_height);
  rvm_view_get_pixel_aspect (view, &meta->pixel_aspect_n,
      &meta->pixel_aspect_d);
  meta->orientation = view->orientation;
  rvm_analytics_add_features (buffer, meta);
}

const GstRvmFeatureMeta *
rvm_encode_session_get_origin (const RvmEncodeSession * session)
{
  return &session->now;
}

RvmState *
rvm_encode_session_get_state (const RvmEncodeSession * session)
{
  return session->state;
}

RvmModel *
rvm_encode_session_get_model (const RvmEncodeSession * session)
{
  return session->model;
}

guint64
rvm_encode_session_get_bytes (const RvmEncodeSession * session)
{
  return session->stream ? rvm_stream_get_bytes (session->stream) : 0;
}

void
rvm_encode_session_get_size (const RvmEncodeSession * session, guint * width,
    guint * height)
{
  *width = session->width;
  *height = session->height;
}
