/* The answer is kept as the floats that metas of later frames share. */
#include "readout_session.h"

#include "kernels/error.h"

enum
{
  RATE_FRAMES = 16,             /* analysed frames from which the rate is told */
  TOLD_SIZE = 1 << 0, TOLD_RATE = 1 << 1,
};

struct _RvmReadoutSession
{
  RvmReadout *readout;
  gchar *path;
  RvmReadoutStream *stream;     /* NULL until the grid is known */
  guint rows, columns;          /* of the stream */
  RvmEventDetector *detector;   /* NULL for maps */
  GstRvmReadoutKind kind;
  guint told;
  /* for the rate */
  guint n_frames;
  GstClockTime first_pts;
  /* the newest answer; values NULL: none yet */
  GBytes *values, *logits;
  guint states, map_rows, map_columns, channels;
  guint64 source, update;
  GstClockTime update_pts;
  gchar *encoder;
  guint orientation;
};

static GstRvmReadoutKind
find_kind (const RvmReadoutInfo * info)
{
  if (g_str_equal (info->kind, "distance"))
    return GST_RVM_READOUT_DISTANCE;
  if (!g_str_equal (info->kind, "dense"))
    return GST_RVM_READOUT_CLASS;
  return g_strcmp0 (info->target, "depth") == 0 ? GST_RVM_READOUT_DEPTH : GST_RVM_READOUT_LABELS;
}

RvmReadoutSession *
rvm_readout_session_new (const gchar * path, RvmDevice * device, RvmElement precision, GError ** error)
{
  g_autoptr (RvmReadoutSession) session = g_new0 (RvmReadoutSession, 1);
  const RvmReadoutInfo *info;

  session->path = g_strdup (path);
  session->readout = rvm_readout_new_from_file (path, device, &(RvmReadoutOptions) {.precision = precision}, error);
  if (session->readout == NULL)
    return NULL;
  info = rvm_readout_get_info (session->readout);
  if (info->features != RVM_READOUT_STATE) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: features is \"encoder\", expected \"state\": rvmencode attaches states", path);
    return NULL;
  }
  session->kind = find_kind (info);
  if (session->kind == GST_RVM_READOUT_CLASS)
    session->detector = rvm_event_detector_new (rvm_readout_info_count_classes (info));
  else if (session->kind == GST_RVM_READOUT_DISTANCE)
    session->detector = rvm_event_detector_new (1);
  session->first_pts = GST_CLOCK_TIME_NONE;
  return g_steal_pointer (&session);
}

static void
forget_answer (RvmReadoutSession * session)
{
  g_clear_pointer (&session->values, g_bytes_unref);
  g_clear_pointer (&session->logits, g_bytes_unref);
}

void
rvm_readout_session_free (RvmReadoutSession * session)
{
  if (session == NULL)
    return;
  forget_answer (session);
  g_clear_pointer (&session->stream, rvm_readout_stream_free);
  g_clear_pointer (&session->readout, rvm_readout_unref);
  rvm_event_detector_free (session->detector);
  g_free (session->encoder);
  g_free (session->path);
  g_free (session);
}

const RvmReadoutInfo *
rvm_readout_session_get_info (const RvmReadoutSession * session)
{
  return rvm_readout_get_info (session->readout);
}

GstRvmReadoutKind
rvm_readout_session_get_kind (const RvmReadoutSession * session)
{
  return session->kind;
}

gboolean
rvm_readout_session_check (const RvmReadoutSession * session, const GstRvmFeatureMeta * meta, gboolean force, GError ** error)
{
  const GstRvmFeatureParts all = GST_RVM_FEATURE_CLASS | GST_RVM_FEATURE_PATCHES;

  if (!force && !rvm_readout_info_check_model (rvm_readout_get_info (session->readout), meta->model_id, session->path, error))
    return FALSE;
  if (meta->dim != rvm_readout_get_dim (session->readout)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: reads features of %u channels, and those of the stream have %u", session->path,
        rvm_readout_get_dim (session->readout), meta->dim);
    return FALSE;
  }
  if ((meta->parts & all) != all) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "the features have no %s (see rvmencode's property output)",
        meta->parts & GST_RVM_FEATURE_CLASS ? "patches" : "class token");
    return FALSE;
  }
  return TRUE;
}

static gboolean
is_news (RvmReadoutSession * session, guint what)
{
  const gboolean news = !(session->told & what);

  session->told |= what;
  return news;
}

gchar *
rvm_readout_session_warn (RvmReadoutSession * session, const GstRvmFeatureMeta * meta)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (session->readout);
  gdouble rate;

  /* Videos may have other shapes. */
  if (info->width && MIN (info->width, info->height) != MIN (meta->analysis_width, meta->analysis_height) && is_news (session, TOLD_SIZE))
    return g_strdup_printf ("%s: was trained on pictures analysed at %u x %u, and these are analysed at %u x %u (rvmencode's property size):"
        " expect worse answers", session->path, info->width, info->height, meta->analysis_width, meta->analysis_height);
  if (info->frame_rate <= 0 || session->n_frames < RATE_FRAMES || !GST_CLOCK_TIME_IS_VALID (meta->update_pts)
      || !GST_CLOCK_TIME_IS_VALID (session->first_pts) || meta->update_pts <= session->first_pts || !is_news (session, TOLD_RATE))
    return NULL;
  rate = (gdouble) (session->n_frames - 1) * GST_SECOND / (meta->update_pts - session->first_pts);
  if (rate > info->frame_rate / 1.5 && rate < info->frame_rate * 1.5)
    return NULL;
  return g_strdup_printf ("%s: was trained on %.3g analysed frames a second, and there are %.3g: expect worse answers", session->path,
      info->frame_rate, rate);
}

void
rvm_readout_session_reset (RvmReadoutSession * session, GArray * events)
{
  forget_answer (session);
  session->n_frames = 0;
  session->first_pts = GST_CLOCK_TIME_NONE;
  if (session->stream)
    rvm_readout_stream_reset (session->stream);
  if (session->detector)
    rvm_event_detector_finish (session->detector, events);
}

static gboolean
fit_stream (RvmReadoutSession * session, const GstRvmFeatureMeta * meta, GError ** error)
{
  if (session->stream && session->rows == meta->rows && session->columns == meta->columns)
    return TRUE;
  g_clear_pointer (&session->stream, rvm_readout_stream_free);
  session->stream = rvm_readout_stream_new (session->readout, meta->rows, meta->columns, error);
  session->rows = meta->rows;
  session->columns = meta->columns;
  return session->stream != NULL;
}

static void
keep_answer (RvmReadoutSession * session, const GstRvmFeatureMeta * meta, const RvmReadoutAnswer * answer)
{
  const gsize size = (gsize) answer->rows * answer->columns * answer->channels * sizeof (gfloat);

  forget_answer (session);
  session->values = g_bytes_new (answer->values, size);
  session->logits = answer->logits ? g_bytes_new (answer->logits, size) : NULL;
  session->states = answer->states;
  session->map_rows = answer->rows;
  session->map_columns = answer->columns;
  session->channels = answer->channels;
  session->source = meta->source;
  session->update = meta->update;
  session->update_pts = meta->update_pts;
  session->orientation = meta->orientation;
  if (g_strcmp0 (session->encoder, meta->encoder) != 0) {
    g_free (session->encoder);
    session->encoder = g_strdup (meta->encoder);
  }
}

gboolean
rvm_readout_session_push (RvmReadoutSession * session, const GstRvmFeatureMeta * meta, const RvmEventSettings * settings, GArray * events,
    GError ** error)
{
  const RvmReadoutAnswer *answer = NULL;

  if (!fit_stream (session, meta, error)
      || !rvm_readout_stream_push (session->stream, g_bytes_get_data (meta->data, NULL), &answer, error)) {
    g_prefix_error (error, "%s: ", session->path);
    return FALSE;
  }
  if (session->n_frames++ == 0)
    session->first_pts = meta->update_pts;
  if (answer == NULL)
    return TRUE;
  keep_answer (session, meta, answer);
  if (session->detector && settings)
    rvm_event_detector_push (session->detector, settings, answer->values, meta->update_pts, events);
  else if (session->detector)
    rvm_event_detector_finish (session->detector, events);
  return TRUE;
}

const GstRvmReadoutMeta *
rvm_readout_session_attach (RvmReadoutSession * session, GstBuffer * buffer, const gchar * name)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (session->readout);
  const RvmReadoutEvent *event = session->detector ? rvm_event_detector_get_current (session->detector) : NULL;
  GstRvmReadoutMeta *meta;

  if (session->values == NULL)
    return NULL;
  meta = gst_rvm_buffer_add_readout_meta (buffer, session->kind, session->map_rows, session->map_columns, session->channels, session->values);
  meta->states = session->states;
  meta->window = rvm_readout_get_window (session->readout);
  meta->readout = g_strdup (name);
  meta->encoder = g_strdup (session->encoder);
  meta->source = session->source;
  meta->update = session->update;
  meta->update_pts = session->update_pts;
  meta->unit = session->kind == GST_RVM_READOUT_DEPTH ? g_strdup (info->unit) : NULL;
  meta->orientation = session->orientation;
  meta->classes = g_strdupv (info->classes);
  meta->logits = session->logits ? g_bytes_ref (session->logits) : NULL;
  if (event) {
    meta->event_class = event->class;
    meta->event_start = event->start;
    meta->event_confidence = event->confidence;
  }
  return meta;
}
