/* The life of a frame in the plugin: convert, push, keep the features, attach.
 * The model's part of it is model/stream.c. */
#include "encode_session.h"

#include "analysis.h"
#include "meta/gstrvmmeta.h"

struct _RvmEncodeSession
{
  RvmModel *model;
  RvmStream *stream;            /* NULL before the first configuration */
  RvmAnalysis *analysis;
  guint width, height;          /* of the analysis picture */
  gboolean cold;                /* the next analysed frame starts a generation */
  guint64 generation, frames_since_reset;
  GBytes *features;             /* found last, since the last reset; or NULL */
  guint parts;                  /* of @features */
  GstClockTime update_pts;
};

RvmEncodeSession *
rvm_encode_session_new (RvmModel * model)
{
  RvmEncodeSession *session = g_new0 (RvmEncodeSession, 1);

  session->model = rvm_model_ref (model);
  session->cold = TRUE;
  return session;
}

void
rvm_encode_session_free (RvmEncodeSession * session)
{
  if (session == NULL)
    return;
  g_clear_pointer (&session->features, g_bytes_unref);
  g_clear_pointer (&session->stream, rvm_stream_free);
  g_clear_pointer (&session->analysis, rvm_analysis_free);
  rvm_model_unref (session->model);
  g_free (session);
}

void
rvm_encode_session_reset (RvmEncodeSession * session)
{
  session->cold = TRUE;
  session->frames_since_reset = 0;
  g_clear_pointer (&session->features, g_bytes_unref);
}

gboolean
rvm_encode_session_configure (RvmEncodeSession * session,
    const GstVideoInfo * info, const RvmEncodeRequest * request,
    GError ** error)
{
  const guint patch = rvm_model_get_config (session->model)->patch;
  guint width, height;

  if (!rvm_analysis_choose_size (info, patch, request->size, request->width,
          request->height, &width, &height)) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "frames of %d x %d pixels are smaller than a patch of the model,"
        " %u x %u", GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
        patch, patch);
    return FALSE;
  }
  if (session->analysis == NULL || width != session->width
      || height != session->height
      || !gst_video_info_is_equal (&session->analysis->in, info)) {
    g_clear_pointer (&session->analysis, rvm_analysis_free);
    session->analysis = rvm_analysis_new (info, width, height);
    if (session->analysis == NULL) {
      g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
          "frames of format %s cannot be converted to RGB",
          gst_video_format_to_string (GST_VIDEO_INFO_FORMAT (info)));
      return FALSE;
    }
  }
  if (session->stream && width == session->width && height == session->height)
    return TRUE;

  rvm_encode_session_reset (session);
  g_clear_pointer (&session->stream, rvm_stream_free);
  session->stream = rvm_stream_new (session->model, width, height,
      RVM_STREAM_DEFAULT, error);
  session->width = width;
  session->height = height;
  return session->stream != NULL;
}

/* The rows asked for, without keeping the others in memory when they are most of
 * it. */
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

gboolean
rvm_encode_session_analyse (RvmEncodeSession * session, GstBuffer * buffer,
    const RvmEncodeRequest * request, RvmStreamHealth * health,
    GError ** error)
{
  const gsize token = rvm_stream_get_dim (session->stream) * sizeof (gfloat);
  const gsize size = rvm_stream_get_tokens (session->stream) * token;
  g_autoptr (GBytes) all = NULL;
  const guint8 *pixels;
  gfloat *values;
  gsize stride;

  pixels = rvm_analysis_convert (session->analysis, buffer, &stride);
  if (pixels == NULL) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
        "the buffer of time %" GST_TIME_FORMAT
        " does not hold a picture of the caps",
        GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));
    return FALSE;
  }
  if (session->cold)
    rvm_stream_reset (session->stream);
  values = g_malloc (size);
  all = g_bytes_new_take (values, size);
  if (!rvm_stream_push (session->stream, pixels, stride,
          session->cold ? 1 + request->warm_up : 1, values, health, error)) {
    g_prefix_error (error, "at the frame of time %" GST_TIME_FORMAT ": ",
        GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));
    return FALSE;
  }
  session->generation += session->cold;
  session->cold = FALSE;
  session->frames_since_reset++;
  session->update_pts = GST_BUFFER_PTS (buffer);
  session->parts = request->parts;
  g_clear_pointer (&session->features, g_bytes_unref);
  session->features = select_parts (all, request->parts, token);
  return TRUE;
}

gboolean
rvm_encode_session_has_features (const RvmEncodeSession * session)
{
  return session->features != NULL;
}

void
rvm_encode_session_attach (const RvmEncodeSession * session,
    GstBuffer * buffer, gboolean carried)
{
  const GstVideoInfo *info = &session->analysis->in;
  GstRvmFeatureMeta *meta;

  if (session->parts == 0)
    return;
  meta = gst_rvm_buffer_add_feature_meta (buffer, session->parts,
      rvm_stream_get_rows (session->stream),
      rvm_stream_get_columns (session->stream),
      rvm_stream_get_dim (session->stream), session->features,
      rvm_model_get_id (session->model));
  g_return_if_fail (meta != NULL);
  meta->generation = session->generation;
  meta->frames_since_reset = session->frames_since_reset;
  meta->update_pts = session->update_pts;
  meta->carried = carried;
  meta->frame_width = GST_VIDEO_INFO_WIDTH (info);
  meta->frame_height = GST_VIDEO_INFO_HEIGHT (info);
  meta->analysis_width = session->width;
  meta->analysis_height = session->height;
}

guint64
rvm_encode_session_get_generation (const RvmEncodeSession * session)
{
  return session->generation;
}
