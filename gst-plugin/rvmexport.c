/**
 * SECTION:element-rvmexport
 * @title: rvmexport
 * @short_description: writes features of frames to files
 *
 * Writes what rvmencode attached: JSON lines with class token, provenance,
 * timing and tracks (`location`), patch features as a NumPy array of shape (T, rows,
 * columns, D) (`features-location`), class tokens as one of shape (T, D)
 * (`class-location`). Buffers pass through. Carried features are written like
 * others; the JSON lines mark them. A seek does not rewind the files: frames
 * are appended in the order in which they arrive. The files are valid after
 * every frame, so an interrupted pipeline loses nothing it had written.
 *
 * ## Example
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=30 ! rvmencode model-file=model.safetensors size=64 ! rvmexport location=features.jsonl features-location=features.npy ! fakesink
 * ]|
 */
#include "rvmexport.h"

#include <errno.h>
#include <stdio.h>

#include "export_writers.h"

GST_DEBUG_CATEGORY_STATIC (rvm_export_debug);
#define GST_CAT_DEFAULT rvm_export_debug

struct _GstRvmExport
{
  GstBaseTransform parent;

  gchar *location, *features_location, *class_location;
  guint64 frames;               /* object lock */

  /* streaming thread */
  FILE *lines;
  RvmNpyWriter *features, *class_tokens;
};

enum
{
  PROP_0,
  PROP_LOCATION,
  PROP_FEATURES_LOCATION,
  PROP_CLASS_LOCATION,
  PROP_FRAMES,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE (GstRvmExport, gst_rvm_export, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmexport, "rvmexport", GST_RANK_NONE,
    GST_TYPE_RVM_EXPORT)

static gboolean
gst_rvm_export_stop (GstBaseTransform * base)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);
  g_autoptr (GError) error = NULL;
  gboolean ok = TRUE;

  if (self->lines && fclose (g_steal_pointer (&self->lines)) != 0) {
    GST_ELEMENT_ERROR (self, RESOURCE, WRITE, ("%s: cannot be written: %s",
            self->location, g_strerror (errno)), (NULL));
    ok = FALSE;
  }
  if ((self->features && !rvm_npy_writer_close (self->features, &error))
      || (self->class_tokens
          && !rvm_npy_writer_close (self->class_tokens, &error))) {
    GST_ELEMENT_ERROR (self, RESOURCE, WRITE, ("%s", error->message), (NULL));
    ok = FALSE;
  }
  g_clear_pointer (&self->features, rvm_npy_writer_free);
  g_clear_pointer (&self->class_tokens, rvm_npy_writer_free);
  return ok;
}

static gboolean
gst_rvm_export_start (GstBaseTransform * base)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);
  g_autofree gchar *location = NULL, *features = NULL, *class_tokens = NULL;
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  self->frames = 0;
  location = g_strdup (self->location);
  features = g_strdup (self->features_location);
  class_tokens = g_strdup (self->class_location);
  GST_OBJECT_UNLOCK (self);

  if (location) {
    self->lines = fopen (location, "we");
    if (self->lines == NULL)
      g_set_error (&error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
          "%s: cannot be written: %s", location, g_strerror (errno));
  }
  if (!error && features)
    self->features = rvm_npy_writer_new (features, &error);
  if (!error && class_tokens)
    self->class_tokens = rvm_npy_writer_new (class_tokens, &error);
  if (error == NULL)
    return TRUE;
  GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE, ("%s", error->message),
      (NULL));
  gst_rvm_export_stop (base);
  return FALSE;
}

static gboolean
write_arrays (GstRvmExport * self, const GstRvmFeatureMeta * meta,
    GError ** error)
{
  const guint grid[] = { meta->rows, meta->columns, meta->dim };

  if (self->features) {
    g_autoptr (GBytes) patches = gst_rvm_feature_meta_get_patches (meta);

    if (patches == NULL) {
      g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
          "features-location is set, but the features have no patches (see"
          " rvmencode's property output)");
      return FALSE;
    }
    if (!rvm_npy_writer_append (self->features, grid, 3, patches, error))
      return FALSE;
  }
  if (self->class_tokens) {
    g_autoptr (GBytes) token = gst_rvm_feature_meta_get_class_token (meta);

    if (token == NULL) {
      g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
          "class-location is set, but the features have no class token (see"
          " rvmencode's property output)");
      return FALSE;
    }
    return rvm_npy_writer_append (self->class_tokens, &meta->dim, 1, token,
        error);
  }
  return TRUE;
}

static GstFlowReturn
gst_rvm_export_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);
  g_autoptr (GError) error = NULL;

  if (meta == NULL)
    return GST_FLOW_OK;
  if (self->lines) {
    g_autofree gchar *line = rvm_format_json_line (self->frames, buffer, meta);

    if (fputs (line, self->lines) < 0 || fflush (self->lines) != 0)
      g_set_error (&error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
          "%s: cannot be written: %s", self->location, g_strerror (errno));
  }
  if (error || !write_arrays (self, meta, &error)) {
    GST_ELEMENT_ERROR (self, RESOURCE, WRITE, ("%s", error->message), (NULL));
    return GST_FLOW_ERROR;
  }
  GST_OBJECT_LOCK (self);
  self->frames++;
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_OK;
}

static gboolean
gst_rvm_export_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && self->frames == 0)
    GST_ELEMENT_WARNING (self, STREAM, FAILED,
        ("no features arrived: is rvmencode upstream?"), (NULL));
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_export_parent_class)->sink_event
      (base, event);
}

static gchar **
find_location (GstRvmExport * self, guint id)
{
  return id == PROP_LOCATION ? &self->location
      : id == PROP_FEATURES_LOCATION ? &self->features_location
      : id == PROP_CLASS_LOCATION ? &self->class_location : NULL;
}

static void
gst_rvm_export_set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  GstRvmExport *self = GST_RVM_EXPORT (object);
  gchar **location = find_location (self, id);

  if (location == NULL) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_free (*location);
  *location = g_value_dup_string (value);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_export_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * pspec)
{
  GstRvmExport *self = GST_RVM_EXPORT (object);

  GST_OBJECT_LOCK (self);
  if (id == PROP_FRAMES)
    g_value_set_uint64 (value, self->frames);
  else if (find_location (self, id))
    g_value_set_string (value, *find_location (self, id));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_export_finalize (GObject * object)
{
  GstRvmExport *self = GST_RVM_EXPORT (object);

  g_free (self->location);
  g_free (self->features_location);
  g_free (self->class_location);
  G_OBJECT_CLASS (gst_rvm_export_parent_class)->finalize (object);
}

static void
gst_rvm_export_class_init (GstRvmExportClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
      | GST_PARAM_MUTABLE_READY;

  GST_DEBUG_CATEGORY_INIT (rvm_export_debug, "rvmexport", 0,
      "Writes recurrent video features");
  object->set_property = gst_rvm_export_set_property;
  object->get_property = gst_rvm_export_get_property;
  object->finalize = gst_rvm_export_finalize;
  g_object_class_install_property (object, PROP_LOCATION,
      g_param_spec_string ("location", "Location",
          "JSON lines: class token, provenance and timing of each frame", NULL,
          ready));
  g_object_class_install_property (object, PROP_FEATURES_LOCATION,
      g_param_spec_string ("features-location", "Features location",
          "NumPy file of the patch features, float32 (T, rows, columns, D)",
          NULL, ready));
  g_object_class_install_property (object, PROP_CLASS_LOCATION,
      g_param_spec_string ("class-location", "Class location",
          "NumPy file of the class tokens, float32 (T, D)", NULL, ready));
  g_object_class_install_property (object, PROP_FRAMES,
      g_param_spec_uint64 ("frames", "Frames", "Frames written", 0,
          G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  gst_element_class_set_static_metadata (element, "Feature writer",
      "Filter/Analyzer/Video",
      "Writes features of frames to JSON lines and NumPy files", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  base->start = gst_rvm_export_start;
  base->stop = gst_rvm_export_stop;
  base->sink_event = gst_rvm_export_sink_event;
  base->transform_ip = gst_rvm_export_transform_ip;
  base->transform_ip_on_passthrough = TRUE;
}

static void
gst_rvm_export_init (GstRvmExport * self)
{
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), TRUE);
}
