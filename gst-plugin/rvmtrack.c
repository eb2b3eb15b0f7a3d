/**
 * SECTION:element-rvmtrack
 * @title: rvmtrack
 * @short_description: follows points and boxes by the features of rvmencode
 *
 * Carries points and boxes from the frame on which they are given to all later
 * ones, by label propagation on the features of the buffers (arXiv 2512.13684;
 * the defaults are the paper's). `points` and `boxes` are given on the first frame
 * with features, and again whenever rvmencode's state has started anew (a flush,
 * a new stream, other caps), which ends all tracks; the signals `add-point`,
 * `add-box` and `remove` work while playing, from the next frame on.
 *
 * Each buffer with features gets a GstRvmTrackMeta; boxes that are visible also get
 * a GstVideoRegionOfInterestMeta ("rvm-track", id of the track). A frame whose
 * features are carried over from an earlier one carries its tracks, too.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert ! rvmencode size=256 warm-up=8 ! rvmtrack points="120,80;0.5,0.5" ! rvmexport location=tracks.jsonl ! fakesink
 * ]|
 */
#include "rvmtrack.h"

#include <gst/video/video.h>
#include <math.h>

#include "tracker.h"

GST_DEBUG_CATEGORY_STATIC (rvm_track_debug);
#define GST_CAT_DEFAULT rvm_track_debug

struct _GstRvmTrackElement
{
  GstBaseTransform parent;

  /* object lock */
  gchar *device, *points, *boxes;
  guint context, radius, top;
  gdouble temperature;
  GArray *waiting;              /* GstRvmTrack, pixels or fractions as given */
  GArray *removed;              /* guint */
  guint last_id;

  /* streaming thread */
  RvmTracker *tracker;
  gboolean have_info;
  GstVideoInfo info;
  guint64 generation;           /* of the features seen last, 0 before any */
  guint64 frames;
};

enum
{
  PROP_0,
  PROP_DEVICE,
  PROP_POINTS,
  PROP_BOXES,
  PROP_CONTEXT,
  PROP_RADIUS,
  PROP_TOP,
  PROP_TEMPERATURE,
};

enum
{
  SIGNAL_ADD_POINT,
  SIGNAL_ADD_BOX,
  SIGNAL_REMOVE,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw(ANY)"));

G_DEFINE_TYPE (GstRvmTrackElement, gst_rvm_track_element, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmtrack, "rvmtrack", GST_RANK_NONE, GST_TYPE_RVM_TRACK)

/* "a,b;c,d" to tracks of @numbers numbers each, appended to @out. */
static gboolean
parse_tracks (const gchar * name, const gchar * text, guint numbers, GArray * out, GError ** error)
{
  g_auto (GStrv) items = g_strsplit (text ? text : "", ";", -1);

  for (guint i = 0; items[i]; i++) {
    g_auto (GStrv) parts = NULL;
    gdouble values[4] = { 0 };
    gboolean good;

    if (*g_strstrip (items[i]) == '\0')
      continue;
    parts = g_strsplit (items[i], ",", -1);
    good = g_strv_length (parts) == numbers;
    for (guint k = 0; good && k < numbers; k++) {
      gchar *end;
      g_strstrip (parts[k]);
      values[k] = g_ascii_strtod (parts[k], &end);
      good = end != parts[k] && *end == '\0' && isfinite (values[k]);
    }
    if (!good) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "%s: '%s' is not %s", name, items[i],
          numbers == 2 ? "x,y" : "x,y,width,height");
      return FALSE;
    }
    g_array_append_val (out, ((GstRvmTrack) {
      .kind = numbers == 2 ? GST_RVM_TRACK_POINT : GST_RVM_TRACK_BOX, .x = values[0], .y = values[1],
      .width = values[2], .height = values[3]}));
  }
  return TRUE;
}

static gboolean
gst_rvm_track_start (GstBaseTransform * base)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (base);
  g_autoptr (GArray) tracks = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDevice) device = NULL;
  g_autofree gchar *selector = NULL;
  RvmPropagationSettings settings;
  gboolean good;

  GST_OBJECT_LOCK (self);
  selector = g_strdup (self->device);
  settings = (RvmPropagationSettings) {
  .context = self->context, .radius = self->radius, .top = self->top, .temperature = self->temperature};
  good = parse_tracks ("points", self->points, 2, tracks, &error)
      && parse_tracks ("boxes", self->boxes, 4, tracks, &error);
  g_array_set_size (self->removed, 0);
  GST_OBJECT_UNLOCK (self);
  device = good ? rvm_device_open (selector, NULL, &error) : NULL;
  if (device == NULL) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    return FALSE;
  }
  self->tracker = rvm_tracker_new (device, &settings);
  self->have_info = FALSE;
  self->generation = 0;
  self->frames = 0;
  return TRUE;
}

static gboolean
gst_rvm_track_stop (GstBaseTransform * base)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (base);

  g_clear_pointer (&self->tracker, rvm_tracker_free);
  GST_OBJECT_LOCK (self);
  g_array_set_size (self->waiting, 0);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static gboolean
gst_rvm_track_set_caps (GstBaseTransform * base, GstCaps * in, GstCaps * out)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (base);

  self->have_info = gst_video_info_from_caps (&self->info, in);
  return self->have_info;
}

/* Pixels to fractions; numbers that are all below 1 are fractions already. */
static gboolean
to_fractions (GstRvmTrackElement * self, GstRvmTrack * track, GError ** error)
{
  const gdouble width = GST_VIDEO_INFO_WIDTH (&self->info), height = GST_VIDEO_INFO_HEIGHT (&self->info);
  const gboolean box = track->kind == GST_RVM_TRACK_BOX;

  if (MAX (MAX (track->x, track->y), MAX (track->width, track->height)) > 1) {
    track->x /= width;
    track->width /= width;
    track->y /= height;
    track->height /= height;
  }
  if (track->x >= 0 && track->y >= 0 && track->x + track->width <= 1 && track->y + track->height <= 1
      && (!box || (track->width > 0 && track->height > 0)))
    return TRUE;
  g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "%s at %g,%g%s is not inside the picture of %g x %g pixels",
      box ? "a box" : "a point", track->x * width, track->y * height, box ? " (or has no size)" : "", width, height);
  return FALSE;
}

/* Removes what was removed and starts what waits: given by signals, and after a
 * reset by properties. */
static gboolean
update_tracks (GstRvmTrackElement * self, gboolean anew, GstClockTime pts, GError ** error)
{
  g_autoptr (GArray) tracks = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  g_autoptr (GArray) removed = NULL;
  gboolean good = TRUE;

  GST_OBJECT_LOCK (self);
  removed = self->removed;
  self->removed = g_array_new (FALSE, FALSE, sizeof (guint));
  if (anew)
    good = parse_tracks ("points", self->points, 2, tracks, error)
        && parse_tracks ("boxes", self->boxes, 4, tracks, error);
  for (guint i = 0; i < tracks->len; i++)
    g_array_index (tracks, GstRvmTrack, i).id = ++self->last_id;
  g_array_append_vals (tracks, self->waiting->data, self->waiting->len);
  g_array_set_size (self->waiting, 0);
  GST_OBJECT_UNLOCK (self);

  for (guint i = 0; good && i < tracks->len; i++) {
    GstRvmTrack *track = &g_array_index (tracks, GstRvmTrack, i);

    good = to_fractions (self, track, error);
    track->first_seen = track->last_seen = pts;
    track->visible = TRUE;
    track->confidence = 1;
  }
  if (!good || (tracks->len && !rvm_tracker_add (self->tracker, (const GstRvmTrack *) tracks->data, tracks->len, error)))
    return FALSE;
  for (guint i = 0; i < removed->len; i++)
    rvm_tracker_remove (self->tracker, g_array_index (removed, guint, i));
  return TRUE;
}

static void
attach (GstRvmTrackElement * self, GstBuffer * buffer)
{
  const gdouble width = GST_VIDEO_INFO_WIDTH (&self->info), height = GST_VIDEO_INFO_HEIGHT (&self->info);
  const GArray *tracks = rvm_tracker_get_tracks (self->tracker);
  GstRvmTrackMeta *meta = gst_rvm_buffer_add_track_meta (buffer, (const GstRvmTrack *) tracks->data, tracks->len);

  for (guint i = 0; i < meta->n_tracks; i++) {
    GstRvmTrack *track = &meta->tracks[i];

    track->x *= width;
    track->width *= width;
    track->y *= height;
    track->height *= height;
    if (track->kind == GST_RVM_TRACK_BOX && track->visible) {
      const gdouble left = CLAMP (track->x, 0, width), top = CLAMP (track->y, 0, height);
      GstVideoRegionOfInterestMeta *region = gst_buffer_add_video_region_of_interest_meta (buffer, "rvm-track",
          left, top, CLAMP (track->x + track->width, left, width) - left,
          CLAMP (track->y + track->height, top, height) - top);

      region->id = track->id;
    }
  }
}

static GstFlowReturn
gst_rvm_track_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (base);
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);
  g_autoptr (GError) error = NULL;
  gboolean anew;

  if (meta == NULL || !self->have_info)
    return GST_FLOW_OK;
  if (!(meta->parts & GST_RVM_FEATURE_PATCHES)) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, ("the features have no patches (see rvmencode's property output)"), (NULL));
    return GST_FLOW_ERROR;
  }
  self->frames++;
  anew = meta->generation != self->generation;
  if (anew)
    rvm_tracker_reset (self->tracker);
  self->generation = meta->generation;
  if (anew || !meta->carried)
    if (!rvm_tracker_push (self->tracker, meta, GST_BUFFER_PTS (buffer), &error)
        || !update_tracks (self, anew, GST_BUFFER_PTS (buffer), &error)) {
      GST_ELEMENT_ERROR (self, STREAM, FAILED, ("%s", error->message), (NULL));
      return GST_FLOW_ERROR;
    }
  attach (self, buffer);
  return GST_FLOW_OK;
}

static gboolean
gst_rvm_track_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && self->frames == 0)
    GST_ELEMENT_WARNING (self, STREAM, FAILED, ("no features arrived: is rvmencode upstream?"), (NULL));
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_track_element_parent_class)->sink_event (base, event);
}

static guint
wait_for (GstRvmTrackElement * self, GstRvmTrack track)
{
  GST_OBJECT_LOCK (self);
  track.id = ++self->last_id;
  g_array_append_val (self->waiting, track);
  GST_OBJECT_UNLOCK (self);
  return track.id;
}

static guint
add_point (GstRvmTrackElement * self, gdouble x, gdouble y)
{
  return wait_for (self, (GstRvmTrack) {.kind = GST_RVM_TRACK_POINT, .x = x, .y = y});
}

static guint
add_box (GstRvmTrackElement * self, gdouble x, gdouble y, gdouble width, gdouble height)
{
  return wait_for (self, (GstRvmTrack) {.kind = GST_RVM_TRACK_BOX, .x = x, .y = y, .width = width, .height = height});
}

static void
remove_track (GstRvmTrackElement * self, guint id)
{
  GST_OBJECT_LOCK (self);
  g_array_append_val (self->removed, id);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_track_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (object);
  gchar **text = id == PROP_DEVICE ? &self->device : id == PROP_POINTS ? &self->points : &self->boxes;

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_DEVICE:
    case PROP_POINTS:
    case PROP_BOXES:
      g_free (*text);
      *text = g_value_dup_string (value);
      break;
    case PROP_CONTEXT:
      self->context = g_value_get_uint (value);
      break;
    case PROP_RADIUS:
      self->radius = g_value_get_uint (value);
      break;
    case PROP_TOP:
      self->top = g_value_get_uint (value);
      break;
    case PROP_TEMPERATURE:
      self->temperature = g_value_get_double (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_track_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_DEVICE:
      g_value_set_string (value, self->device);
      break;
    case PROP_POINTS:
      g_value_set_string (value, self->points);
      break;
    case PROP_BOXES:
      g_value_set_string (value, self->boxes);
      break;
    case PROP_CONTEXT:
      g_value_set_uint (value, self->context);
      break;
    case PROP_RADIUS:
      g_value_set_uint (value, self->radius);
      break;
    case PROP_TOP:
      g_value_set_uint (value, self->top);
      break;
    case PROP_TEMPERATURE:
      g_value_set_double (value, self->temperature);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_track_finalize (GObject * object)
{
  GstRvmTrackElement *self = GST_RVM_TRACK (object);

  g_free (self->device);
  g_free (self->points);
  g_free (self->boxes);
  g_array_unref (self->waiting);
  g_array_unref (self->removed);
  G_OBJECT_CLASS (gst_rvm_track_element_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass * object)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const RvmPropagationSettings paper = RVM_PROPAGATION_DEFAULT;

  g_object_class_install_property (object, PROP_DEVICE,
      g_param_spec_string ("device", "Device", "OpenCL device: its index, or part of its or its platform's name"
          " (unset: the first GPU, else the CPU)", NULL, ready));
  g_object_class_install_property (object, PROP_POINTS,
      g_param_spec_string ("points", "Points", "Points of the first frame: x,y;x,y;... in pixels, or in fractions of the"
          " picture if neither is above 1", NULL, ready));
  g_object_class_install_property (object, PROP_BOXES,
      g_param_spec_string ("boxes", "Boxes", "Boxes of the first frame: x,y,width,height;... in pixels, or in fractions of"
          " the picture if none is above 1", NULL, ready));
  g_object_class_install_property (object, PROP_CONTEXT,
      g_param_spec_uint ("context", "Context", "Frames remembered besides the first", 0, 256, paper.context, ready));
  g_object_class_install_property (object, PROP_RADIUS,
      g_param_spec_uint ("radius", "Radius", "Patches that a match may be away (0: any)", 0, 4096, paper.radius, ready));
  g_object_class_install_property (object, PROP_TOP,
      g_param_spec_uint ("top-k", "Top k", "Matches that count", 1, 32, paper.top, ready));
  g_object_class_install_property (object, PROP_TEMPERATURE,
      g_param_spec_double ("temperature", "Temperature", "Of the matches' softmax", 0.001, 1000, paper.temperature, ready));
}

static void
gst_rvm_track_element_class_init (GstRvmTrackElementClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);
  const GSignalFlags flags = G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION;
  const GType type = G_TYPE_FROM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_track_debug, "rvmtrack", 0, "Follows points and boxes");
  object->set_property = gst_rvm_track_set_property;
  object->get_property = gst_rvm_track_get_property;
  object->finalize = gst_rvm_track_finalize;
  install_properties (object);
  signals[SIGNAL_ADD_POINT] = g_signal_new_class_handler ("add-point", type, flags, G_CALLBACK (add_point), NULL, NULL,
      NULL, G_TYPE_UINT, 2, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  signals[SIGNAL_ADD_BOX] = g_signal_new_class_handler ("add-box", type, flags, G_CALLBACK (add_box), NULL, NULL, NULL,
      G_TYPE_UINT, 4, G_TYPE_DOUBLE, G_TYPE_DOUBLE, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  signals[SIGNAL_REMOVE] = g_signal_new_class_handler ("remove", type, flags, G_CALLBACK (remove_track), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_UINT);
  gst_element_class_set_static_metadata (element, "Feature tracker", "Filter/Analyzer/Video",
      "Follows points and boxes by recurrent video features", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  base->start = gst_rvm_track_start;
  base->stop = gst_rvm_track_stop;
  base->set_caps = gst_rvm_track_set_caps;
  base->sink_event = gst_rvm_track_sink_event;
  base->transform_ip = gst_rvm_track_transform_ip;
}

static void
gst_rvm_track_element_init (GstRvmTrackElement * self)
{
  const RvmPropagationSettings paper = RVM_PROPAGATION_DEFAULT;

  self->context = paper.context;
  self->radius = paper.radius;
  self->top = paper.top;
  self->temperature = paper.temperature;
  self->waiting = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  self->removed = g_array_new (FALSE, FALSE, sizeof (guint));
}
