/**
 * SECTION:element-rvmtrack
 * @title: rvmtrack
 * @short_description: follows points, boxes and masks by the features of rvmencode
 *
 * Carries points, boxes and masks from the frame on which they are given to all later
 * ones, by label propagation on the features of the buffers (arXiv 2512.13684). They are
 * given by
 *
 * - `points`, `boxes` and `mask-file`, on the first frame with features,
 * - regions that a detector left on a buffer (`regions`): object detections of
 *   GstAnalyticsRelationMeta (GStreamer 1.24), or GstVideoRegionOfInterestMeta,
 * - the action signals #GstRvmtrack::add-point and #GstRvmtrack::add-box while playing,
 *   from the next analysed frame on.
 *
 * Each buffer with features gets a GstRvmTrackMeta. Boxes and masks that are visible
 * also get a GstVideoRegionOfInterestMeta ("rvm-track", id of the track), and
 * with GStreamer 1.24 an object detection with a tracking entry, with 1.26 a
 * segmentation entry for the masks.
 *
 * Ids are counted up and never used twice. A point's place within its patch on the first
 * frame is kept, and so is the border of a box.
 *
 * ## Confidence
 * The confidence of a track estimates how much of the object is found, from 0 to 1 (the
 * intersection over union). It comes from looking back at the first frame: whether what
 * was found matches the object there and nothing else does, how alike they are, how much
 * of the object is matched, whether it has swollen, and whether anything is seen there: a
 * state may remember an object behind a part of the picture that is all of one colour. A
 * track whose confidence falls below `lost-threshold` is lost: it is not visible, keeps its
 * last place, and is found again when its confidence reaches `found-threshold`. Its first
 * frame is remembered as long as the track exists.
 *
 * ## What is compared
 * Patches are compared by their features, and with the weights `colours` and `place` by
 * mean colours and positions. The edges of masks are then brought to those of colours in
 * the picture, as far away as `refine` says (the guided filter).
 * `standardise=false colours=0 place=0 refine=0 lost-threshold=0` is the published
 * protocol; `context`, `radius`, `top-k` and `temperature` are the published ones by
 * default. Where the picture cannot be read, for example because it lies on a GPU,
 * colours and `refine` are left out, and a covered object is not noticed, with a warning.
 *
 * ## Signals
 * #GstRvmtrack::add-point and #GstRvmtrack::add-box start a track with the next analysed
 * frame, #GstRvmtrack::remove ends one. They are action signals, for any thread.
 *
 * ## Frames and resets
 * Frames that rvmencode did not analyse (`interval`, late ones), and frames that another
 * element repeats (videorate), have the tracks of the frame before; signals emitted in
 * between wait for the next analysed one. All tracks end, and `points`, `boxes`,
 * `mask-file` and `regions` are applied again with new ids, when the features do not
 * continue those before: when the state of rvmencode is reset (a flush, a new stream,
 * another picture, other weights), when they come from another rvmencode or another
 * stream (input-selector), when frames step back, or when the grid changes. A picture of
 * another size on the same grid continues them: places are pixels of the current
 * picture. Buffers without features pass without tracks.
 *
 * Where several rvmencode are upstream, `encoder` names the one whose features are
 * followed; unset, it is the nearest, and a warning says so. Ids are unique within one
 * rvmtrack. What reads the tracks of several tells them apart by the name of the
 * element, which GstRvmTrackMeta has, and each region in its parameter "rvm-track";
 * entries of GstAnalyticsRelationMeta have no room for it.
 *
 * Places are those of the picture as it is shown (see rvmencode): of the upright
 * picture, in its own pixels, without the margins of a GstVideoCropMeta. So is a
 * mask, which may also have the size of the upright picture in square pixels.
 * Regions are pixels of the picture as it is stored, those that are read as those
 * that are attached.
 *
 * The metadata follows a change of scale and is dropped by elements that cut the
 * picture, turn it or mirror it (videoflip): put those before rvmencode.
 *
 * The time of a frame grows with the square of the number of patches, and with
 * `context`: next to small16 at 256 x 256 (256 patches) it is a tenth and less of
 * rvmencode's, with 1024 patches as much as a small model's.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert ! rvmencode size=256 warm-up=8 ! rvmtrack points="120,80;0.5,0.5" ! rvmexport location=tracks.jsonl ! fakesink
 * ]|
 */
#include "rvmtrack_private.h"

#include "allocation.h"
#include "device_notice.h"
#include "track_outputs.h"

GST_DEBUG_CATEGORY (rvm_track_debug);
#define GST_CAT_DEFAULT rvm_track_debug

enum
{
  PROP_0,
  PROP_FIRST_SETTING,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw(ANY)"));

G_DEFINE_TYPE (GstRvmtrack, gst_rvmtrack, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmtrack, "rvmtrack", GST_RANK_NONE, GST_TYPE_RVMTRACK)

/* Everything that can be wrong before the first frame. */
static gboolean
open_settings (GstRvmtrack * self, RvmPropagationSettings * settings, RvmAppearance * appearance, RvmDevice ** device, GError ** error)
{
  g_autoptr (GArray) tracks = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  const GstRvmTrackSettings *set = &self->settings;
  g_autofree gchar *selector = NULL, *cache_dir = NULL;
  gboolean good;

  GST_OBJECT_LOCK (self);
  selector = g_strdup (set->device);
  cache_dir = g_strdup (set->cache_dir);
  self->mask_name = g_strdup (set->mask_file);
  self->limit = set->max_tracks;
  self->refine = set->refine;
  *settings = (RvmPropagationSettings) {
  .context = set->context,.radius = set->radius,.top = set->top,.temperature = set->temperature,.standardise =
      set->standardise};
  *appearance = (RvmAppearance) {.colours = set->colours,.place = set->place };
  good = rvm_track_inputs_parse ("points", self->settings.points, 2, tracks, error)
      && rvm_track_inputs_parse ("boxes", self->settings.boxes, 4, tracks, error);
  g_array_set_size (self->removed, 0);
  self->n_tracks = 0;
  GST_OBJECT_UNLOCK (self);
  if (!good)
    return FALSE;
  if (self->mask_name && *self->mask_name) {
    self->mask = rvm_mask_read_png (self->mask_name, error);
    if (self->mask == NULL)
      return FALSE;
  }
  *device = rvm_device_open (selector, cache_dir, error);
  return *device != NULL;
}

static void
get_limits (GstRvmtrack * self, RvmConfidenceLimits * limits)
{
  GST_OBJECT_LOCK (self);
  limits->lost_below = self->settings.lost_threshold;
  limits->found_above = MAX (self->settings.found_threshold, limits->lost_below);
  GST_OBJECT_UNLOCK (self);
}

static gboolean
gst_rvmtrack_stop (GstBaseTransform * base)
{
  GstRvmtrack *self = GST_RVMTRACK (base);

  g_clear_pointer (&self->tracker, rvm_tracker_free);
  g_clear_pointer (&self->appearance, rvm_track_appearance_free);
  g_clear_pointer (&self->mask, rvm_mask_free);
  g_clear_pointer (&self->mask_name, g_free);
  g_clear_pointer (&self->stream_id, g_free);
  g_clear_pointer (&self->name, g_free);
  rvm_seen_clear (&self->seen);
  GST_OBJECT_LOCK (self);
  g_array_set_size (self->waiting, 0);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static gboolean
gst_rvmtrack_start (GstBaseTransform * base)
{
  GstRvmtrack *self = GST_RVMTRACK (base);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDevice) device = NULL;
  RvmPropagationSettings settings;
  RvmConfidenceLimits limits;
  RvmAppearance appearance;

  if (!open_settings (self, &settings, &appearance, &device, &error)) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    gst_rvmtrack_stop (base);
    return FALSE;
  }
  rvm_device_notice_post (GST_ELEMENT (self), device);
  get_limits (self, &limits);
  self->tracker = rvm_tracker_new (device, &settings, &appearance, &limits, self->limit);
  rvm_tracker_set_refine (self->tracker, self->refine);
  self->appearance = rvm_track_appearance_new (&appearance);
  self->colours_warned = FALSE;
  self->name = gst_object_get_name (GST_OBJECT (self));
  self->have_info = FALSE;
  self->choice = (RvmChoice) { 0 };
  self->missing = (RvmMissing) { 0 };
  return TRUE;
}

static gboolean
gst_rvmtrack_set_caps (GstBaseTransform * base, GstCaps * in, GstCaps * out)
{
  GstRvmtrack *self = GST_RVMTRACK (base);

  self->have_info = gst_video_info_from_caps (&self->info, in);
  return self->have_info;
}

/* What the picture of @buffer adds to the features of @frame. */
static void
add_appearance (GstRvmtrack * self, GstBuffer * buffer, RvmTrackerFrame * frame)
{
  const guint8 **picture = rvm_tracker_wants_picture (self->tracker) ? &frame->rgb : NULL;
  g_autoptr (GError) error = NULL;

  frame->beside = rvm_track_appearance_make (self->appearance, buffer, &self->view, frame->meta->rows, frame->meta->columns, picture, &error);
  if (error && !self->colours_warned) {
    self->colours_warned = TRUE;
    GST_ELEMENT_WARNING (self, STREAM, FORMAT, ("colours are not compared, edges of masks do not follow them, and what is covered is not noticed, because the picture cannot be read: %s"
            " (colours=0 refine=0 lost-threshold=0 asks for that)",
            error->message), (NULL));
  }
}

static gboolean
follow (GstRvmtrack * self, GstBuffer * buffer, const GstRvmFeatureMeta * meta, GError ** error)
{
  const RvmContinuity continuity = rvm_seen_update (&self->seen, meta);
  const gboolean reset = continuity == RVM_CONTINUITY_RESET || continuity == RVM_CONTINUITY_OTHER || !rvm_tracker_fits (self->tracker, meta);
  const GstClockTime pts = GST_BUFFER_PTS (buffer);
  RvmTrackerFrame frame = {.meta = meta,.pts = pts };
  RvmConfidenceLimits limits;

  if (reset) {
    self->had_regions = FALSE;
    rvm_tracker_reset (self->tracker);
  } else if (continuity == RVM_CONTINUITY_SAME) {
    return TRUE;
  }
  get_limits (self, &limits);
  rvm_tracker_set_limits (self->tracker, &limits);
  rvm_tracker_set_picture (self->tracker, &self->view);
  add_appearance (self, buffer, &frame);
  return rvm_tracker_push (self->tracker, &frame, error) && (!reset || gst_rvmtrack_start_properties (self, pts, error))
      && gst_rvmtrack_start_regions (self, buffer, error) && gst_rvmtrack_apply_signals (self, pts, error);
}

/* The features to follow, or NULL. */
static const GstRvmFeatureMeta *
choose_features (GstRvmtrack * self, GstBuffer * buffer)
{
  g_autofree gchar *encoder = NULL;

  GST_OBJECT_LOCK (self);
  encoder = g_strdup (self->settings.encoder);
  GST_OBJECT_UNLOCK (self);
  return rvm_choice_get_features (&self->choice, GST_ELEMENT (self), buffer, encoder, TRUE);
}

static gboolean
gst_rvmtrack_propose_allocation (GstBaseTransform * base, GstQuery * decide, GstQuery * query)
{
  return rvm_allocation_propose (base, query, TRUE);
}

static GstFlowReturn
gst_rvmtrack_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmtrack *self = GST_RVMTRACK (base);
  const GstRvmFeatureMeta *meta = choose_features (self, buffer);
  g_autoptr (GError) error = NULL;

  rvm_missing_count (&self->missing, GST_ELEMENT (self), meta || rvm_choice_is_missing (&self->choice), RVM_MISSING_FEATURES);
  if (meta == NULL || !self->have_info)
    return GST_FLOW_OK;
  if (!(meta->parts & GST_RVM_FEATURE_PATCHES)) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, ("the features have no patches (see rvmencode's property output)"), (NULL));
    return GST_FLOW_ERROR;
  }
  if (!rvm_view_init (&self->view, &self->info, buffer, meta->orientation, &error) || !follow (self, buffer, meta, &error)) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, ("%s", error->message), (NULL));
    return GST_FLOW_ERROR;
  }
  GST_OBJECT_LOCK (self);
  self->n_tracks = rvm_tracker_get_tracks (self->tracker)->len;
  GST_OBJECT_UNLOCK (self);
  rvm_track_outputs_attach (buffer, rvm_tracker_get_tracks (self->tracker), rvm_tracker_get_mask (self->tracker), &self->view, meta,
      self->name);
  return GST_FLOW_OK;
}

static gboolean
gst_rvmtrack_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmtrack *self = GST_RVMTRACK (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START && rvm_stream_id_update (&self->stream_id, event))
    rvm_seen_clear (&self->seen);
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    rvm_missing_finish (&self->missing, GST_ELEMENT (self), RVM_MISSING_FEATURES);
  return GST_BASE_TRANSFORM_CLASS (gst_rvmtrack_parent_class)->sink_event (base, event);
}

static void
gst_rvmtrack_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  rvm_settings_set (object, &GST_RVMTRACK (object)->settings, id, value, pspec);
  if (g_str_equal (pspec->name, "cache-dir"))
    rvm_device_suggest_cache_dir (g_value_get_string (value));
}

static void
gst_rvmtrack_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  rvm_settings_get (object, &GST_RVMTRACK (object)->settings, id, value, pspec);
}

static void
gst_rvmtrack_finalize (GObject * object)
{
  GstRvmtrack *self = GST_RVMTRACK (object);

  rvm_settings_clear (object, &self->settings);
  g_array_unref (self->waiting);
  g_array_unref (self->removed);
  G_OBJECT_CLASS (gst_rvmtrack_parent_class)->finalize (object);
}

static void
gst_rvmtrack_class_init (GstRvmtrackClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);
  const GSignalFlags flags = G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION;
  const GType type = G_TYPE_FROM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_track_debug, "rvmtrack", 0, "Follows points, boxes and masks");
  object->set_property = gst_rvmtrack_set_property;
  object->get_property = gst_rvmtrack_get_property;
  object->finalize = gst_rvmtrack_finalize;
  gst_rvm_track_settings_install (object, PROP_FIRST_SETTING);
  /**
   * GstRvmtrack::add-point:
   * @x: pixels of the upright picture from its left, or a fraction of its width if neither @x nor @y is above 1
   * @y: pixels from the top, or a fraction of the height
   *
   * Follows a point from the next analysed frame on. A point that turns out to be outside that frame is a warning.
   *
   * Returns: the id of the track, or 0, with a warning, if there are max-tracks already.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("add-point", type, flags, G_CALLBACK (gst_rvmtrack_add_point), NULL, NULL,
      NULL, G_TYPE_UINT, 2, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  /**
   * GstRvmtrack::add-box:
   * @x: left edge, in pixels of the upright picture, or all four in fractions of it if none is above 1
   * @y: upper edge
   * @width: width of the box
   * @height: height of the box
   *
   * Follows a box from the next analysed frame on. A box that turns out to be outside that frame is a warning.
   *
   * Returns: the id of the track, or 0, with a warning, if there are max-tracks already.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("add-box", type, flags, G_CALLBACK (gst_rvmtrack_add_box), NULL, NULL, NULL,
      G_TYPE_UINT, 4, G_TYPE_DOUBLE, G_TYPE_DOUBLE, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  /**
   * GstRvmtrack::remove:
   * @id: the id of a track
   *
   * Ends a track of any kind with the next analysed frame, also one that has not begun yet. An id that no track has is ignored.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("remove", type, flags, G_CALLBACK (gst_rvmtrack_remove), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_UINT);
  gst_element_class_set_static_metadata (element, "Feature tracker", "Filter/Analyzer/Video",
      "Follows points, boxes and masks by recurrent video features", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  gst_type_mark_as_plugin_api (gst_rvm_track_regions_get_type (), 0);
  base->start = gst_rvmtrack_start;
  base->stop = gst_rvmtrack_stop;
  base->set_caps = gst_rvmtrack_set_caps;
  base->sink_event = gst_rvmtrack_sink_event;
  base->propose_allocation = gst_rvmtrack_propose_allocation;
  base->transform_ip = gst_rvmtrack_transform_ip;
}

static void
gst_rvmtrack_init (GstRvmtrack * self)
{
  self->waiting = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  self->removed = g_array_new (FALSE, FALSE, sizeof (guint));
}
