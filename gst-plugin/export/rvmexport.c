/**
 * SECTION:element-rvmexport
 * @title: rvmexport
 * @short_description: writes features and tracks of frames to files
 *
 * Writes what rvmencode and rvmtrack attached; buffers pass through.
 *
 * - `location`: JSON lines, one object a frame, its keys as in
 *   rvmexport.schema.json: class token, provenance, timing, tracks.
 * - `features-location`: patch features, as a NumPy array of shape (T, rows, columns,
 *   D), or, if the name ends with .safetensors, as "features" beside
 *   "class_tokens" (T, D), "pts", "update_pts", "generation", "frames_since_reset",
 *   "source", "update", "carried" (T).
 * - `class-location`: class tokens as a NumPy array (T, D).
 * - `tracks-location`: CSV in the layout of MOTChallenge, a line for each visible track
 *   of each frame: frame, id, left, top, width, height, confidence, -1, -1, -1;
 *   frames, left and top count from 1; points have no size, of masks it is the
 *   box around them.
 * - `masks-location`: a name with one %d (%05d), which becomes the frame's index, counted from 0:
 *   the masks as indexed PNG with the palette of DAVIS. Frames without mask tracks have no file.
 * - `events-location`: CSV with a line for each event of rvmreadout that has ended: readout, class, start and end in seconds, confidence.
 * - `maps-location`: a name like that of masks: the map of an rvmreadout, which `readout` names: depths as grey PNG of 16 bits, in thousandths of their
 *   unit, labels as indexed PNG. Frames without a map have no file.
 *
 * At least one of them must be set, and each needs a file of its own: one that another output writes too, or that another element of the
 * pipeline has as its location or file, is an error when the element starts, under whatever path. Devices and pipes can be shared.
 *
 * Where several rvmencode or rvmtrack are upstream, `encoder` and `tracker` name those
 * whose features and tracks are written; unset, they are the nearest, and a warning
 * says so. Two rvmexport write both. The lines name them: "encoder", "stream_id" and
 * "source" say where features come from ("source" is another for each start of an
 * rvmencode and for each stream), "update" counts its analysed frames: lines of equal
 * source and update have equal features.
 *
 * Sizes, places, the grid of patches and masks are those of the upright picture (see
 * rvmencode).
 *
 * A frame is a buffer with features or tracks. Carried features are written like
 * others; the JSON lines mark them. A seek does not rewind the files: frames
 * are appended in the order in which they arrive. All files but .safetensors are
 * valid after every frame, so an interrupted pipeline loses nothing it had
 * written; a .safetensors file appears when the element stops.
 *
 * ## Example
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=30 ! rvmencode model-file=model.safetensors size=64 ! rvmexport location=features.jsonl features-location=features.npy ! fakesink
 * ]|
 */
#include "rvmexport.h"

#include <errno.h>
#include <stdio.h>

#include "allocation.h"
#include "choice.h"
#include "export_lines.h"
#include "export_places.h"
#include "export_readouts.h"
#include "export_safetensors.h"
#include "export_writers.h"
#include "missing.h"
#include "rvmexport_settings.h"
#include "video/mask_png.h"

GST_DEBUG_CATEGORY_STATIC (rvm_export_debug);
#define GST_CAT_DEFAULT rvm_export_debug

struct _GstRvmExport
{
  GstBaseTransform parent;

  GstRvmExportSettings settings;        /* object lock */

  /* streaming thread */
  GstRvmExportSettings open;    /* as they were at the start */
  FILE *lines, *tracks;
  RvmEventsWriter *events;
  RvmMissing missing_features, missing_tracks;
  RvmNpyWriter *features, *class_tokens;
  RvmSafetensorsWriter *safetensors;
  RvmChoice choice;
  RvmExportClaim *claim;        /* on what is open */
};

enum
{
  PROP_0,
  PROP_FIRST_SETTING,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE (GstRvmExport, gst_rvm_export, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmexport, "rvmexport", GST_RANK_NONE,
    GST_TYPE_RVM_EXPORT)

static gboolean
fail (const gchar * path, GError ** error)
{
  const gint saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "%s: cannot be written: %s", path, g_strerror (saved));
  return FALSE;
}

/* A path may have any bytes, a message must be UTF-8. */
static void
post_error (GstRvmExport * self, gint code, const GError * error)
{
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, code, g_utf8_make_valid (error->message, -1), NULL,
      __FILE__, G_STRFUNC, __LINE__);
}

static gboolean
close_text (FILE ** file, const gchar * path, GError ** error)
{
  return *file == NULL || fclose (g_steal_pointer (file)) == 0 || fail (path, error);
}

/* Closes everything, even after a failure; the first failure is returned. */
static gboolean
close_files (GstRvmExport * self, GError ** error)
{
  gboolean good = close_text (&self->lines, self->open.lines, error);

  good = close_text (&self->tracks, self->open.tracks, good ? error : NULL) && good;
  if (self->features)
    good = rvm_npy_writer_close (self->features, good ? error : NULL) && good;
  if (self->class_tokens)
    good = rvm_npy_writer_close (self->class_tokens, good ? error : NULL) && good;
  if (self->safetensors)
    good = rvm_safetensors_writer_close (self->safetensors, good ? error : NULL) && good;
  if (self->events)
    good = rvm_events_writer_close (self->events, good ? error : NULL) && good;
  g_clear_pointer (&self->events, rvm_events_writer_free);
  g_clear_pointer (&self->features, rvm_npy_writer_free);
  g_clear_pointer (&self->class_tokens, rvm_npy_writer_free);
  g_clear_pointer (&self->safetensors, rvm_safetensors_writer_free);
  g_clear_pointer (&self->claim, rvm_export_claim_free);
  return good;
}

static gboolean
gst_rvm_export_stop (GstBaseTransform * base)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);
  g_autoptr (GError) error = NULL;

  if (!close_files (self, &error))
    post_error (self, GST_RESOURCE_ERROR_WRITE, error);
  rvm_settings_clear (G_OBJECT (self), &self->open);
  /* The error is posted; an element that refused to stop could not be freed. */
  return TRUE;
}

static gboolean
open_text (FILE ** file, const gchar * path, GError ** error)
{
  if (path == NULL)
    return TRUE;
  *file = fopen (path, "we");
  return *file || fail (path, error);
}

static gboolean
check_pattern (const gchar * setting, const gchar * pattern, GError ** error)
{
  g_autofree gchar *name = pattern ? g_filename_display_name (pattern) : NULL;

  if (pattern == NULL || rvm_export_is_pattern (pattern))
    return TRUE;
  g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "%s '%s': expected one %%d or the like (masks/%%05d.png)", setting, name);
  return FALSE;
}

/* Checks that there is something to write, and that each output has a file of its own. */
static gboolean
check_locations (GstRvmExport * self, GError ** error)
{
  const GstRvmExportSettings *open = &self->open;
  const gboolean is_safetensors = open->features && g_str_has_suffix (open->features, ".safetensors");
  g_autofree gchar *part = is_safetensors ? g_strconcat (open->features, ".part", NULL) : NULL;
  g_autofree gchar *class_part = is_safetensors ? g_strconcat (open->features, ".class.part", NULL) : NULL;
  const RvmExportPlace places[] = {
    {"location", open->lines, FALSE}, {"features-location", open->features, FALSE},
    {"the unfinished features-location", part, FALSE}, {"the unfinished features-location", class_part, FALSE},
    {"class-location", open->class_tokens, FALSE}, {"tracks-location", open->tracks, FALSE},
    {"masks-location", open->masks, TRUE}, {"events-location", open->events, FALSE}, {"maps-location", open->maps, TRUE}
  };

  if (!open->lines && !open->features && !open->class_tokens && !open->tracks && !open->masks && !open->events && !open->maps) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "no location is set: expected at least one of location,"
        " features-location, class-location, tracks-location, masks-location, events-location and maps-location");
    return FALSE;
  }
  if (!check_pattern ("masks-location", open->masks, error) || !check_pattern ("maps-location", open->maps, error))
    return FALSE;
  self->claim = rvm_export_claim_places (GST_ELEMENT (self), places, G_N_ELEMENTS (places), error);
  return self->claim != NULL;
}

static gboolean
open_features (GstRvmExport * self, GError ** error)
{
  if (self->open.features == NULL)
    return TRUE;
  if (!g_str_has_suffix (self->open.features, ".safetensors")) {
    self->features = rvm_npy_writer_new (self->open.features, error);
    return self->features != NULL;
  }
  self->safetensors = rvm_safetensors_writer_new (self->open.features, error);
  return self->safetensors != NULL;
}

/* An empty name means none. */
static gchar *
copy_location (const gchar * location)
{
  return location && *location ? g_strdup (location) : NULL;
}

static gboolean
gst_rvm_export_start (GstBaseTransform * base)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);
  g_autoptr (GError) error = NULL;
  GstRvmExportSettings *open = &self->open;

  GST_OBJECT_LOCK (self);
  self->settings.frames = 0;
  rvm_settings_clear (G_OBJECT (self), open);
  *open = (GstRvmExportSettings) {
  .lines = copy_location (self->settings.lines),.features = copy_location (self->settings.features),.class_tokens =
        copy_location (self->settings.class_tokens),.tracks = copy_location (self->settings.tracks),.masks =
        copy_location (self->settings.masks),.events = copy_location (self->settings.events),.maps = copy_location (self->settings.maps),.readout =
        g_strdup (self->settings.readout),.encoder = g_strdup (self->settings.encoder),.tracker = g_strdup (self->settings.tracker)};
  GST_OBJECT_UNLOCK (self);
  self->choice = (RvmChoice) { 0 };
  self->missing_features = self->missing_tracks = (RvmMissing) { 0 };

  if (!check_locations (self, &error)) {
    post_error (self, GST_RESOURCE_ERROR_SETTINGS, error);
    return FALSE;
  }
  if (open_text (&self->lines, open->lines, &error)
      && open_text (&self->tracks, open->tracks, &error) && open_features (self, &error) && open->class_tokens)
    self->class_tokens = rvm_npy_writer_new (open->class_tokens, &error);
  if (error == NULL && open->events)
    self->events = rvm_events_writer_new (open->events, &error);
  if (error == NULL)
    return TRUE;
  post_error (self, GST_RESOURCE_ERROR_OPEN_WRITE, error);
  close_files (self, NULL);
  return FALSE;
}

static gboolean
write_text (FILE * file, const gchar * path, const gchar * text, GError ** error)
{
  return (fputs (text, file) >= 0 && fflush (file) == 0) || fail (path, error);
}

/* @values, or an error that says which setting asked for them. */
static gboolean
expect_part (GBytes * values, const gchar * setting, const gchar * part, GError ** error)
{
  if (values)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is set, but the features have no %s (see rvmencode's property"
      " output)", setting, part);
  return FALSE;
}

static gboolean
write_arrays (GstRvmExport * self, GstClockTime pts, const GstRvmFeatureMeta * meta, GError ** error)
{
  const guint grid[] = { meta->rows, meta->columns, meta->dim };

  if (self->features) {
    g_autoptr (GBytes) patches = gst_rvm_feature_meta_get_patches (meta);

    if (!expect_part (patches, "features-location", "patches", error)
        || !rvm_npy_writer_append (self->features, grid, 3, patches, error))
      return FALSE;
  }
  if (self->class_tokens) {
    g_autoptr (GBytes) token = gst_rvm_feature_meta_get_class_token (meta);

    if (!expect_part (token, "class-location", "class token", error)
        || !rvm_npy_writer_append (self->class_tokens, &meta->dim, 1, token, error))
      return FALSE;
  }
  return self->safetensors == NULL || rvm_safetensors_writer_append (self->safetensors, pts, meta, error);
}

static gboolean
write_tracks (GstRvmExport * self, const GstRvmTrackMeta * meta, GError ** error)
{
  g_autoptr (GBytes) mask = NULL;
  guint width, height;

  if (self->tracks) {
    g_autofree gchar *lines = rvm_export_format_mot (self->settings.frames, meta);

    if (!write_text (self->tracks, self->open.tracks, lines, error))
      return FALSE;
  }
  mask = self->open.masks ? gst_rvm_track_meta_get_mask (meta, &width, &height) : NULL;
  if (mask) {
    g_autofree gchar *path = rvm_export_expand_pattern (self->open.masks, self->settings.frames);

    return rvm_mask_write_png (path, g_bytes_get_data (mask, NULL), width, height, error);
  }
  return TRUE;
}

static gboolean
write_readouts (GstRvmExport * self, GstBuffer * buffer, GError ** error)
{
  const GstRvmReadoutMeta *map = self->open.maps ? rvm_export_find_map (buffer, self->open.readout) : NULL;
  g_autofree gchar *path = map ? rvm_export_expand_pattern (self->open.maps, self->settings.frames) : NULL;

  return (self->events == NULL || rvm_events_writer_see (self->events, buffer, error))
      && (map == NULL || rvm_export_write_map (path, map, error));
}

static gboolean
write_frame (GstRvmExport * self, GstBuffer * buffer, const GstRvmFeatureMeta * features, const GstRvmTrackMeta * tracks,
    GError ** error)
{
  if (self->lines) {
    g_autofree gchar *line = rvm_export_format_json (self->settings.frames, buffer, features, tracks);

    if (!write_text (self->lines, self->open.lines, line, error))
      return FALSE;
  }
  return (!features || write_arrays (self, GST_BUFFER_PTS (buffer), features, error))
      && (!tracks || write_tracks (self, tracks, error)) && write_readouts (self, buffer, error);
}

static GstFlowReturn
gst_rvm_export_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);
  const GstRvmExportSettings *open = &self->open;
  const GstRvmFeatureMeta *features = rvm_choice_get_features (&self->choice, GST_ELEMENT (self), buffer, open->encoder,
      open->lines || open->features || open->class_tokens);
  const GstRvmTrackMeta *tracks = rvm_choice_get_tracks (&self->choice, GST_ELEMENT (self), buffer, open->encoder, open->tracker,
      open->lines || open->tracks || open->masks);
  g_autoptr (GError) error = NULL;

  rvm_missing_count (&self->missing_features, GST_ELEMENT (self), features || tracks || rvm_choice_is_missing (&self->choice),
      RVM_MISSING_FEATURES);
  if (features == NULL && tracks == NULL)
    return GST_FLOW_OK;
  if (open->tracks || open->masks)
    rvm_missing_count (&self->missing_tracks, GST_ELEMENT (self), tracks || rvm_choice_is_missing (&self->choice), RVM_MISSING_TRACKS);
  if (!write_frame (self, buffer, features, tracks, &error)) {
    post_error (self, GST_RESOURCE_ERROR_WRITE, error);
    return GST_FLOW_ERROR;
  }
  GST_OBJECT_LOCK (self);
  self->settings.frames++;
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_OK;
}

/* Upstream must not leave cropping to downstream, because metadata that the cropping element drops would have been written already. */
static gboolean
gst_rvm_export_propose_allocation (GstBaseTransform * base, GstQuery * decide, GstQuery * query)
{
  return rvm_allocation_propose (base, query, TRUE);
}

static gboolean
gst_rvm_export_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmExport *self = GST_RVM_EXPORT (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    rvm_missing_finish (&self->missing_features, GST_ELEMENT (self), RVM_MISSING_FEATURES);
    if (self->missing_features.seen && (self->open.tracks || self->open.masks))
      rvm_missing_finish (&self->missing_tracks, GST_ELEMENT (self), RVM_MISSING_TRACKS);
  }
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_export_parent_class)->sink_event
      (base, event);
}

static void
gst_rvm_export_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  rvm_settings_set (object, &GST_RVM_EXPORT (object)->settings, id, value, pspec);
}

static void
gst_rvm_export_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  rvm_settings_get (object, &GST_RVM_EXPORT (object)->settings, id, value, pspec);
}

static void
gst_rvm_export_finalize (GObject * object)
{
  GstRvmExport *self = GST_RVM_EXPORT (object);

  rvm_settings_clear (object, &self->settings);
  rvm_settings_clear (object, &self->open);
  G_OBJECT_CLASS (gst_rvm_export_parent_class)->finalize (object);
}

static void
gst_rvm_export_class_init (GstRvmExportClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_export_debug, "rvmexport", 0,
      "Writes recurrent video features and tracks");
  object->set_property = gst_rvm_export_set_property;
  object->get_property = gst_rvm_export_get_property;
  object->finalize = gst_rvm_export_finalize;
  gst_rvm_export_settings_install (object, PROP_FIRST_SETTING);

  gst_element_class_set_static_metadata (element, "Feature writer",
      "Filter/Analyzer/Video",
      "Writes features, tracks and masks of frames to files", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  base->start = gst_rvm_export_start;
  base->stop = gst_rvm_export_stop;
  base->sink_event = gst_rvm_export_sink_event;
  base->propose_allocation = gst_rvm_export_propose_allocation;
  base->transform_ip = gst_rvm_export_transform_ip;
  base->transform_ip_on_passthrough = TRUE;
}

static void
gst_rvm_export_init (GstRvmExport * self)
{
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), TRUE);
}
