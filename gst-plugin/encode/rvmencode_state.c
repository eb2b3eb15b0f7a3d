/* What a user asks of rvmencode's state, from any thread, and how the streaming
 * thread does it at a frame's boundary.
 *
 * Requests are kept in the order in which they matter: a reset, then a state to
 * go on from. A reset forgets a state that was to be loaded, as it came later;
 * only the events that open a stream do not forget one before the first frame.
 * After a seek (nothing but a flush or a segment) the nearest earlier snapshot
 * takes the place of zeros. */
#include "rvmencode_private.h"

#define GST_CAT_DEFAULT rvm_encode_debug

#define SEEK_REASONS (GST_RVM_RESET_FLUSH | GST_RVM_RESET_SEGMENT)
#define ASKED_REASONS (RVM_RESET_SIGNAL | RVM_RESET_EVENT)

/* With the object lock. */
static void
forget_load (GstRvmEncode * self)
{
  g_clear_pointer (&self->load, rvm_state_unref);
  g_clear_pointer (&self->load_name, g_free);
  self->load_is_warm_start = FALSE;
}

void
gst_rvm_encode_forget_resets_at (GstRvmEncode * self)
{
  GST_OBJECT_LOCK (self);
  g_array_set_size (self->resets_at, 0);
  GST_OBJECT_UNLOCK (self);
}

void
gst_rvm_encode_forget_requests (GstRvmEncode * self)
{
  GST_OBJECT_LOCK (self);
  self->reset_reasons = 0;
  g_array_set_size (self->resets_at, 0);
  forget_load (self);
  g_clear_pointer (&self->state, rvm_state_unref);
  GST_OBJECT_UNLOCK (self);
}

void
gst_rvm_encode_request_reset (GstRvmEncode * self, guint reason)
{
  GST_DEBUG_OBJECT (self, "state is reset, reason 0x%x", reason);
  GST_OBJECT_LOCK (self);
  self->reset_reasons |= reason;
  if (self->counters.updates > 0 || (reason & ASKED_REASONS))
    forget_load (self);
  GST_OBJECT_UNLOCK (self);
}

void
gst_rvm_encode_request_reset_at (GstRvmEncode * self, GstClockTime pts)
{
  if (!GST_CLOCK_TIME_IS_VALID (pts)) {
    gst_rvm_encode_request_reset (self, RVM_RESET_EVENT);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_array_append_val (self->resets_at, pts);
  GST_OBJECT_UNLOCK (self);
}

/* Requests that wait for a frame of @pts or earlier. */
static void
take_resets_at (GstRvmEncode * self, GstClockTime pts)
{
  gboolean due = FALSE;

  GST_OBJECT_LOCK (self);
  for (guint i = self->resets_at->len; i > 0; i--)
    if (g_array_index (self->resets_at, GstClockTime, i - 1) <= pts) {
      g_array_remove_index_fast (self->resets_at, i - 1);
      due = TRUE;
    }
  GST_OBJECT_UNLOCK (self);
  if (due)
    gst_rvm_encode_request_reset (self, RVM_RESET_EVENT);
}

void
gst_rvm_encode_maybe_reset (GstRvmEncode * self, GstRvmResetOn reason)
{
  guint reset_on;

  GST_OBJECT_LOCK (self);
  reset_on = self->settings.reset_on;
  GST_OBJECT_UNLOCK (self);
  if (reset_on & reason)
    gst_rvm_encode_request_reset (self, reason);
}

void
gst_rvm_encode_reset_state (GstRvmEncode * self)
{
  gst_rvm_encode_request_reset (self, RVM_RESET_SIGNAL);
}

gboolean
gst_rvm_encode_prepare_warm_start (GstRvmEncode * self, RvmModel * model)
{
  g_autofree gchar *path = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmState) state = NULL;

  GST_OBJECT_LOCK (self);
  path = g_strdup (self->settings.state_file);
  GST_OBJECT_UNLOCK (self);
  if (path == NULL || *path == '\0')
    return TRUE;
  state = rvm_state_open (path, &error);
  if (state == NULL || !rvm_state_fits (state, model, 0, 0, path, &error)) {
    gst_rvm_encode_post (self, GST_MESSAGE_ERROR, error,
        "while loading state-file");
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  forget_load (self);
  self->load = g_steal_pointer (&state);
  self->load_name = g_steal_pointer (&path);
  self->load_is_warm_start = TRUE;
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

gboolean
gst_rvm_encode_save_state (GstRvmEncode * self, const gchar * path)
{
  g_autoptr (RvmState) state = NULL;
  g_autoptr (GError) error = NULL;

  g_return_val_if_fail (path != NULL, FALSE);

  GST_OBJECT_LOCK (self);
  if (self->state)
    state = rvm_state_ref (self->state);
  GST_OBJECT_UNLOCK (self);
  if (state == NULL)
    g_set_error (&error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "%s: there is no state to save: no frame was analysed since the last"
        " reset", path);
  else
    rvm_state_save (state, path, &error);
  if (error)
    gst_rvm_encode_post (self, GST_MESSAGE_WARNING, error,
        "while saving the state");
  return error == NULL;
}

gboolean
gst_rvm_encode_load_state (GstRvmEncode * self, const gchar * path)
{
  g_autoptr (RvmState) state = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_autoptr (GError) error = NULL;

  g_return_val_if_fail (path != NULL, FALSE);

  GST_OBJECT_LOCK (self);
  if (self->model)
    model = rvm_model_ref (self->model);
  GST_OBJECT_UNLOCK (self);
  if (model == NULL)
    g_set_error (&error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "%s: cannot be loaded while the element is stopped (state-file is read"
        " when it starts)", path);
  else if ((state = rvm_state_open (path, &error)) != NULL)
    rvm_state_fits (state, model, 0, 0, path, &error);
  if (error) {
    gst_rvm_encode_post (self, GST_MESSAGE_WARNING, error,
        "while loading a state");
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  forget_load (self);
  self->load = g_steal_pointer (&state);
  self->load_name = g_strdup (path);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

/* After a seek: a snapshot of before the frame, if there is one. */
static gboolean
restore_snapshot (GstRvmEncode * self, GstBuffer * buffer, GError ** error)
{
  RvmModel *model = rvm_encode_session_get_model (self->session);
  guint width, height;
  RvmState *state;

  if (!GST_BUFFER_PTS_IS_VALID (buffer))
    return TRUE;
  rvm_encode_session_get_size (self->session, &width, &height);
  state = rvm_snapshots_find (self->snapshots, GST_BUFFER_PTS (buffer), model,
      width, height);
  if (state == NULL)
    return TRUE;
  GST_DEBUG_OBJECT (self, "going on from the state of %" GST_TIME_FORMAT,
      GST_TIME_ARGS (state->time));
  return rvm_encode_session_restore (self->session, state, "snapshot", TRUE,
      error);
}

gboolean
gst_rvm_encode_apply_requests (GstRvmEncode * self, GstBuffer * buffer)
{
  g_autoptr (RvmState) load = NULL;
  g_autofree gchar *name = NULL;
  g_autoptr (GError) error = NULL;
  gboolean warm_start;
  guint reasons, count;

  if (GST_BUFFER_PTS_IS_VALID (buffer))
    take_resets_at (self, GST_BUFFER_PTS (buffer));
  GST_OBJECT_LOCK (self);
  reasons = self->reset_reasons;
  self->reset_reasons = 0;
  load = g_steal_pointer (&self->load);
  name = g_steal_pointer (&self->load_name);
  warm_start = self->load_is_warm_start;
  self->load_is_warm_start = FALSE;
  count = self->settings.snapshot_count;
  if (reasons)
    g_clear_pointer (&self->state, rvm_state_unref);
  GST_OBJECT_UNLOCK (self);

  if (count == 0)
    rvm_snapshots_clear (self->snapshots);
  if (reasons) {
    self->reasons |= reasons;
    rvm_encode_session_reset (self->session);
  }
  if (load) {
    if (rvm_encode_session_restore (self->session, load, name, FALSE, &error)) {
      self->reasons |= RVM_RESET_LOAD;
      return TRUE;
    }
    gst_rvm_encode_post (self, warm_start ? GST_MESSAGE_ERROR
        : GST_MESSAGE_WARNING, error, "while going on from a state");
    return !warm_start;
  }
  if (reasons && (reasons & ~SEEK_REASONS) == 0
      && !restore_snapshot (self, buffer, &error)) {
    gst_rvm_encode_post (self, GST_MESSAGE_ERROR, error,
        "while going on from a snapshot");
    return FALSE;
  }
  return TRUE;
}

void
gst_rvm_encode_publish_state (GstRvmEncode * self)
{
  RvmState *state = rvm_encode_session_get_state (self->session);
  GstClockTime interval;
  guint count;

  GST_OBJECT_LOCK (self);
  g_clear_pointer (&self->state, rvm_state_unref);
  self->state = rvm_state_ref (state);
  self->width = state->width;
  self->height = state->height;
  count = self->settings.snapshot_count;
  interval = self->settings.snapshot_interval;
  GST_OBJECT_UNLOCK (self);
  /* Played backwards, a state has seen frames that come later. */
  if (count > 0 && GST_CLOCK_TIME_IS_VALID (state->time)
      && GST_BASE_TRANSFORM (self)->segment.rate > 0)
    rvm_snapshots_add (self->snapshots, state,
        rvm_encode_session_get_origin (self->session)->generation, interval,
        count);
  GST_OBJECT_LOCK (self);
  self->counters.snapshots = rvm_snapshots_get_count (self->snapshots);
  self->counters.stream_bytes = rvm_encode_session_get_bytes (self->session);
  self->counters.snapshot_bytes = rvm_snapshots_get_bytes (self->snapshots);
  GST_OBJECT_UNLOCK (self);
}
