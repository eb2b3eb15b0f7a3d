/* The weights of rvmencode: loaded when it starts, and while it plays by a
 * thread of the element's own, which exists once model-file was set then or
 * watch-model is on. The streaming thread adopts what that thread has ready,
 * between two frames. What cannot be used is a warning; the old weights stay. */
#include "rvmencode_private.h"
#include "device_notice.h"
#include "kernels/runtime/process.h"
#include "profile_report.h"
#include "model/default_model.h"

#include <glib/gstdio.h>

#define GST_CAT_DEFAULT rvm_encode_debug

#define WATCH_PERIOD (G_USEC_PER_SEC / 2)

static void
next_model_free (RvmEncodeNextModel * next)
{
  if (next == NULL)
    return;
  rvm_stream_free (next->stream);
  rvm_model_unref (next->model);
  g_free (next->file);
  g_free (next);
}

/* With the object lock: the file that the properties name. */
static gchar *
choose_file (GstRvmEncode * self)
{
  const gchar *file = self->settings.model_file;

  if (file == NULL || *file == '\0')
    file = rvm_default_model_get_path ();
  return g_strdup (file);
}

/* All zeros if there is none. */
static RvmModelFile
look_at (const gchar * path)
{
  GStatBuf info;

  if (g_stat (path, &info) != 0)
    return (RvmModelFile) { 0 };
  return (RvmModelFile) {
    info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec
  };
}

static gboolean
is_same_file (const RvmModelFile * a, const RvmModelFile * b)
{
  return a->inode == b->inode && a->size == b->size
      && a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}

static void
post_precision (GstRvmEncode * self, RvmModel * model)
{
  g_autofree gchar *text = rvm_gemm_take_notice (rvm_model_get_device (model),
      rvm_model_get_gemm (model), rvm_model_get_precision (model));

  if (text)
    GST_ELEMENT_INFO (self, LIBRARY, SETTINGS, ("%s", text), (NULL));
}

RvmModel *
gst_rvm_encode_load_model (GstRvmEncode * self)
{
  g_autofree gchar *file = NULL;
  g_autoptr (GError) error = NULL;
  gboolean chosen;
  RvmModel *model;

  GST_OBJECT_LOCK (self);
  chosen = self->settings.model_file && *self->settings.model_file;
  file = choose_file (self);
  self->model_done = self->model_wanted;
  g_free ((gchar *) self->options.device);
  g_free ((gchar *) self->options.cache_dir);
  self->options = (RvmModelOptions) {
    .device = g_strdup (self->settings.device),
    .cache_dir = g_strdup (self->settings.cache_dir),
    .gemm = self->settings.gemm,
    .precision = self->settings.precision,
  };
  GST_OBJECT_UNLOCK (self);

  if (!chosen && !g_file_test (file, G_FILE_TEST_EXISTS)) {
    g_autofree gchar *name = g_filename_display_name (file);

    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("model-file is not set, and there is no default model at %s: name a"
            " weight file, or make one with 'rvm-cl-train'", name), (NULL));
    return NULL;
  }
  self->model_file = look_at (file);
  model = rvm_model_load (file, &self->options, &error);
  if (model == NULL)
    gst_rvm_encode_post (self, GST_MESSAGE_ERROR, error,
        "while loading the model");
  else
    rvm_device_notice_post (GST_ELEMENT (self), rvm_model_get_device (model));
  if (model)
    post_precision (self, model);
  return model;
}

/* A stream of the size in use that has run two frames: kernels are built, and
 * weights whose state does not stay finite are found out. NULL without error: there is no
 * size yet, or not one for this model. */
static RvmStream *
try_model (RvmModel * model, guint width, guint height, GError ** error)
{
  const guint patch = rvm_model_get_config (model)->patch;
  g_autoptr (RvmStream) stream = NULL;
  g_autofree guint8 *pixels = NULL;
  g_autofree gfloat *values = NULL;

  if (width == 0 || width % patch || height % patch)
    return NULL;
  stream = rvm_stream_new (model, width, height, rvm_profile_report_get_flags (), error);
  if (stream == NULL)
    return NULL;
  pixels = g_malloc0 ((gsize) width * height * 3);
  values = g_new (gfloat, (gsize) rvm_stream_get_tokens (stream)
      * rvm_stream_get_dim (stream));
  for (guint i = 0; i < 2; i++)
    if (!rvm_stream_push (stream, pixels, (gsize) width * 3, 1, values, NULL,
            error))
      return NULL;
  rvm_stream_reset (stream);
  return g_steal_pointer (&stream);
}

/* Loads @file and leaves it for the streaming thread. */
static void
prepare (GstRvmEncode * self, const gchar * file, guint width, guint height)
{
  g_autoptr (GError) error = NULL;
  RvmEncodeNextModel *next = g_new0 (RvmEncodeNextModel, 1), *old;

  next->file = g_strdup (file);
  next->model = rvm_model_load (file, &self->options, &error);
  if (next->model)
    next->stream = try_model (next->model, width, height, &error);
  if (error) {
    g_prefix_error (&error, "%s: ", "the model in use stays");
    gst_rvm_encode_post (self, GST_MESSAGE_WARNING, error,
        "while loading another model");
    next_model_free (next);
    return;
  }
  GST_OBJECT_LOCK (self);
  old = self->next_model;
  self->next_model = next;
  GST_OBJECT_UNLOCK (self);
  next_model_free (old);
}

/* Waits for something to do; FALSE: stop. */
static gboolean
wait_for_work (GstRvmEncode * self, guint done, guint * wanted, gchar ** file,
    guint * width, guint * height)
{
  gboolean stop, watch;

  GST_OBJECT_LOCK (self);
  watch = self->settings.watch_model;
  if (!self->loader_stop && self->model_wanted == done) {
    if (watch)
      g_cond_wait_until (&self->loader_wake, GST_OBJECT_GET_LOCK (self),
          g_get_monotonic_time () + WATCH_PERIOD);
    else
      g_cond_wait (&self->loader_wake, GST_OBJECT_GET_LOCK (self));
  }
  stop = self->loader_stop;
  *wanted = self->model_wanted;
  g_free (*file);
  *file = choose_file (self);
  *width = self->width;
  *height = self->height;
  GST_OBJECT_UNLOCK (self);
  return !stop;
}

static gpointer
run_loader (gpointer data)
{
  GstRvmEncode *self = data;
  g_autofree gchar *file = NULL;
  guint done, wanted, width, height;

  GST_OBJECT_LOCK (self);
  done = self->model_done;
  GST_OBJECT_UNLOCK (self);
  while (wait_for_work (self, done, &wanted, &file, &width, &height)) {
    const RvmModelFile now = look_at (file);
    gboolean watch;

    GST_OBJECT_LOCK (self);
    watch = self->settings.watch_model;
    GST_OBJECT_UNLOCK (self);
    if (wanted == done && (!watch || now.inode == 0
            || is_same_file (&now, &self->model_file)))
      continue;
    done = wanted;
    self->model_file = now;
    prepare (self, file, width, height);
  }
  return NULL;
}

void
gst_rvm_encode_wake_loader (GstRvmEncode * self)
{
  if (self->model == NULL)
    return;
  if (self->loader == NULL)
    self->loader = g_thread_new ("rvm-loader", run_loader, self);
  g_cond_signal (&self->loader_wake);
}

void
gst_rvm_encode_stop_loader (GstRvmEncode * self)
{
  RvmEncodeNextModel *next;
  RvmModel *model;
  GThread *loader;

  GST_OBJECT_LOCK (self);
  model = g_steal_pointer (&self->model);       /* no loader from now on */
  loader = g_steal_pointer (&self->loader);
  self->loader_stop = TRUE;
  g_cond_signal (&self->loader_wake);
  GST_OBJECT_UNLOCK (self);
  /* A thread of the process that this one was forked from is not here to end. */
  if (loader && rvm_process_is_forked ())
    g_thread_unref (loader);
  else if (loader)
    g_thread_join (loader);
  GST_OBJECT_LOCK (self);
  self->loader_stop = FALSE;
  next = g_steal_pointer (&self->next_model);
  GST_OBJECT_UNLOCK (self);
  next_model_free (next);
  rvm_model_unref (model);
}

void
gst_rvm_encode_adopt_model (GstRvmEncode * self)
{
  RvmEncodeNextModel *next;
  gboolean keep, kept;
  RvmModel *old = NULL;

  GST_OBJECT_LOCK (self);
  next = g_steal_pointer (&self->next_model);
  keep = self->settings.on_model_change == GST_RVM_MODEL_CHANGE_KEEP_STATE;
  GST_OBJECT_UNLOCK (self);
  if (next == NULL)
    return;
  if (next->model == rvm_encode_session_get_model (self->session)) {
    next_model_free (next);
    return;
  }
  kept = rvm_encode_session_change_model (self->session, next->model,
      g_steal_pointer (&next->stream), keep);
  rvm_snapshots_clear (self->snapshots);
  if (!kept)
    self->reasons |= RVM_RESET_MODEL;
  GST_OBJECT_LOCK (self);
  old = self->model;
  self->model = rvm_model_ref (next->model);
  if (!kept)
    g_clear_pointer (&self->state, rvm_state_unref);
  GST_OBJECT_UNLOCK (self);
  rvm_model_unref (old);
  gst_rvm_encode_post_model (self, next->file, kept);
  next_model_free (next);
}
