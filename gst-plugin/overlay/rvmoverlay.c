/**
 * SECTION:element-rvmoverlay
 * @title: rvmoverlay
 * @short_description: shows features on the picture
 *
 * Draws the features that rvmencode attached over the picture, each patch in a
 * colour: `mode=pca` shows their three strongest principal components as red,
 * green and blue (fitted on the first `fit-frames` frames or given by `basis-file`,
 * then fixed, so that a colour keeps its meaning), `mode=similarity` how alike each
 * patch is to the one at `x`, `y`, `mode=change` how much each differs from the
 * frame before, `mode=none` nothing. Points, boxes and masks (with contours) of
 * rvmtrack are drawn with their ids and trails. Frames without either pass through
 * as they are.
 *
 * What is drawn is right when the picture is shown as it is meant to be: on one that
 * is stored on its side or mirrored (see rvmencode), everything is drawn on its side
 * or mirrored, too; circles are round in pixels that are not square; the margins of
 * a GstVideoCropMeta stay as they are. `x` and `y` are of the upright picture.
 *
 * Where several rvmencode or rvmtrack are upstream, `encoder` and `tracker` name those
 * whose features and tracks are shown; unset, they are the nearest, and a warning says
 * so. Two rvmoverlay show both. A frame that is repeated or carries features is the frame
 * before: it changes nothing and makes no trail longer. When another stream begins, or
 * features come from another rvmencode, trails end, what `hold` keeps is chosen again,
 * and nothing is compared with the frame before.
 *
 * Everything is a GstVideoOverlayComposition: attached to the buffer if downstream
 * draws those (glimagesink, gtkglsink), blended into the picture otherwise.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert ! videoflip video-direction=auto ! rvmencode size=256 ! rvmoverlay alpha=0.7 ! videoconvert ! autovideosink
 * ]|
 */
#include "rvmoverlay.h"

#include <gst/video/video.h>

#include "allocation.h"
#include "choice.h"
#include "continuity.h"
#include "missing.h"
#include "overlay_picture.h"
#include "rvmoverlay_settings.h"

GST_DEBUG_CATEGORY_STATIC (rvm_overlay_debug);
#define GST_CAT_DEFAULT rvm_overlay_debug

struct _GstRvmOverlay
{
  GstBaseTransform parent;

  GstRvmOverlaySettings settings;       /* object lock */

  /* streaming thread */
  GstVideoInfo info;
  gboolean attach;              /* the composition as metadata; else blended */
  RvmOverlayPicture *picture;
  RvmMissing missing;           /* features and tracks */
  RvmChoice choice;
  gchar *stream_id;
};

enum
{
  PROP_0,
  PROP_FIRST_SETTING,
};

#define ATTACHED GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

/* Blended into any format that GStreamer can write; attached to any at all. */
#define CAPS GST_VIDEO_CAPS_MAKE (GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS) ";" \
    GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS));

G_DEFINE_TYPE (GstRvmOverlay, gst_rvm_overlay, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (rvmoverlay, "rvmoverlay", GST_RANK_NONE,
    GST_TYPE_RVM_OVERLAY)

static gboolean
gst_rvm_overlay_start (GstBaseTransform * base)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);
  g_autofree gchar *basis_file = NULL;
  g_autoptr (GError) error = NULL;
  RvmFeatureBasis *basis;
  guint fit_frames;

  GST_OBJECT_LOCK (self);
  basis_file = g_strdup (self->settings.basis_file);
  fit_frames = self->settings.fit_frames;
  GST_OBJECT_UNLOCK (self);
  basis = basis_file ? rvm_feature_basis_load (basis_file, &error) : rvm_feature_basis_new (fit_frames);
  if (basis == NULL) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    return FALSE;
  }
  self->picture = rvm_overlay_picture_new (basis);
  self->choice = (RvmChoice) { 0 };
  self->missing = (RvmMissing) { 0 };
  return TRUE;
}

static gboolean
gst_rvm_overlay_stop (GstBaseTransform * base)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);

  g_clear_pointer (&self->picture, rvm_overlay_picture_free);
  g_clear_pointer (&self->stream_id, g_free);
  return TRUE;
}

static gboolean
has_overlay_feature (GstCaps * caps)
{
  return gst_caps_get_size (caps) > 0
      && gst_caps_features_contains (gst_caps_get_features (caps, 0), ATTACHED);
}

/* Blending leaves caps as they are, which needs pictures in plain memory;
 * attaching adds a caps feature. */
static GstCaps *
gst_rvm_overlay_transform_caps (GstBaseTransform * base, GstPadDirection direction, GstCaps * caps, GstCaps * filter)
{
  GstCaps *result = gst_caps_new_empty ();

  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    const GstStructure *structure = gst_caps_get_structure (caps, i);
    GstCapsFeatures *features = gst_caps_get_features (caps, i);
    const gboolean attached = gst_caps_features_contains (features, ATTACHED);
    g_autoptr (GstCapsFeatures) other = gst_caps_features_copy (features);

    if (attached && direction == GST_PAD_SRC)
      gst_caps_features_remove (other, ATTACHED);
    else if (!attached && direction == GST_PAD_SINK && !gst_caps_features_is_any (features))
      gst_caps_features_add (other, ATTACHED);
    if (!gst_caps_features_is_equal (other, features))
      gst_caps_append_structure_full (result, gst_structure_copy (structure), g_steal_pointer (&other));
    if (attached || gst_caps_features_is_any (features)
        || gst_caps_features_is_equal (features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY))
      gst_caps_append_structure_full (result, gst_structure_copy (structure), gst_caps_features_copy (features));
  }
  if (filter)
    gst_caps_take (&result, gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST));
  return result;
}

/* Whether downstream says that it draws compositions, not only that it does not
 * mind their caps. Elements that have no caps yet do not answer, so it gets these;
 * if the answer is no, others follow before any buffer. */
static gboolean
is_drawn_downstream (GstBaseTransform * base, GstCaps * caps)
{
  g_autoptr (GstQuery) query = gst_query_new_allocation (caps, FALSE);

  return gst_pad_push_event (base->srcpad, gst_event_new_caps (caps))
      && gst_pad_peer_query (base->srcpad, query)
      && gst_query_find_allocation_meta (query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
}

/* Attached where that is possible, blended otherwise. */
static GstCaps *
gst_rvm_overlay_fixate_caps (GstBaseTransform * base, GstPadDirection direction, GstCaps * caps, GstCaps * other)
{
  if (direction == GST_PAD_SINK && !has_overlay_feature (caps)) {
    GstCaps *blended = gst_caps_new_empty (), *attached = gst_caps_new_empty ();

    for (guint i = 0; i < gst_caps_get_size (other); i++)
      gst_caps_append_structure_full (gst_caps_features_contains (gst_caps_get_features (other, i), ATTACHED)
          ? attached : blended, gst_structure_copy (gst_caps_get_structure (other, i)),
          gst_caps_features_copy (gst_caps_get_features (other, i)));
    attached = gst_caps_fixate (attached);
    if (gst_caps_is_empty (blended) || (!gst_caps_is_empty (attached) && is_drawn_downstream (base, attached)))
      gst_caps_take (&blended, gst_caps_ref (attached));
    gst_caps_unref (attached);
    gst_caps_take (&other, blended);
  }
  return gst_caps_fixate (other);
}

static gboolean
gst_rvm_overlay_set_caps (GstBaseTransform * base, GstCaps * in, GstCaps * out)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);

  self->attach = has_overlay_feature (out);
  GST_DEBUG_OBJECT (self, "pictures are %s", self->attach ? "attached" : "blended");
  return gst_video_info_from_caps (&self->info, in);
}

static gboolean
gst_rvm_overlay_propose_allocation (GstBaseTransform * base, GstQuery * decide, GstQuery * query)
{
  const gboolean good = GST_BASE_TRANSFORM_CLASS (gst_rvm_overlay_parent_class)->propose_allocation (base, decide, query);

  rvm_allocation_filter (query, TRUE);
  return good;
}

static GstFlowReturn
gst_rvm_overlay_prepare_output_buffer (GstBaseTransform * base, GstBuffer * in, GstBuffer ** out)
{
  *out = gst_buffer_is_writable (in) ? in : gst_buffer_copy (in);
  return GST_FLOW_OK;
}

/* Adds to what another element may have attached. */
static void
attach (GstBuffer * buffer, GstVideoOverlayComposition * composition)
{
  GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta (buffer);

  if (meta == NULL) {
    gst_buffer_add_video_overlay_composition_meta (buffer, composition);
    return;
  }
  meta->overlay = gst_video_overlay_composition_make_writable (meta->overlay);
  for (guint i = 0; i < gst_video_overlay_composition_n_rectangles (composition); i++)
    gst_video_overlay_composition_add_rectangle (meta->overlay,
        gst_video_overlay_composition_get_rectangle (composition, i));
}

/* How the picture of @buffer is shown. */
static gboolean
see (GstRvmOverlay * self, GstBuffer * buffer, const GstRvmFeatureMeta * features, const GstRvmTrackMeta * tracks, RvmView * view,
    GError ** error)
{
  if (!rvm_view_init (view, &self->info, buffer, features ? features->orientation : tracks->orientation, error))
    return FALSE;
  /* Who draws a composition does so on what is shown. */
  if (self->attach)
    view->visible.x = view->visible.y = 0;
  return TRUE;
}

static GstFlowReturn
gst_rvm_overlay_transform_ip (GstBaseTransform * base, GstBuffer * buffer)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);
  g_autofree gchar *encoder = NULL, *tracker = NULL;
  g_autoptr (GstVideoOverlayComposition) composition = NULL;
  g_autoptr (GError) error = NULL;
  const GstRvmFeatureMeta *features;
  const GstRvmTrackMeta *tracks;
  RvmOverlaySettings settings;
  GstVideoFrame frame;
  gboolean blended;
  RvmView view;

  GST_OBJECT_LOCK (self);
  settings = self->settings.picture;
  encoder = g_strdup (self->settings.encoder);
  tracker = g_strdup (self->settings.tracker);
  GST_OBJECT_UNLOCK (self);
  features = rvm_choice_get_features (&self->choice, GST_ELEMENT (self), buffer, encoder, settings.features.kind != RVM_PICTURE_NONE);
  tracks = rvm_choice_get_tracks (&self->choice, GST_ELEMENT (self), buffer, encoder, tracker, settings.tracks);
  rvm_missing_count (&self->missing, GST_ELEMENT (self), features || tracks || rvm_choice_is_missing (&self->choice), RVM_MISSING_FEATURES);
  if (features == NULL && tracks == NULL)
    return GST_FLOW_OK;
  if (see (self, buffer, features, tracks, &view, &error))
    composition = rvm_overlay_picture_compose (self->picture, &settings, &view, features, tracks, buffer, &error);
  if (error) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, ("%s", error->message), (NULL));
    return GST_FLOW_ERROR;
  }
  if (composition == NULL)
    return GST_FLOW_OK;
  if (self->attach) {
    attach (buffer, composition);
    return GST_FLOW_OK;
  }
  if (!gst_video_frame_map (&frame, &self->info, buffer, GST_MAP_READWRITE)) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, ("a picture of %" G_GSIZE_FORMAT " bytes is not one of %s",
            gst_buffer_get_size (buffer), GST_VIDEO_INFO_NAME (&self->info)), (NULL));
    return GST_FLOW_ERROR;
  }
  blended = gst_video_overlay_composition_blend (composition, &frame);
  gst_video_frame_unmap (&frame);
  if (!blended) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT, ("nothing can be drawn on %s pictures",
            GST_VIDEO_INFO_NAME (&self->info)), (NULL));
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

static gboolean
gst_rvm_overlay_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START && rvm_stream_id_update (&self->stream_id, event) && self->picture)
    rvm_overlay_picture_forget (self->picture);
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    rvm_missing_finish (&self->missing, GST_ELEMENT (self), RVM_MISSING_FEATURES);
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_overlay_parent_class)->sink_event
      (base, event);
}

static void
gst_rvm_overlay_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (object);

  rvm_settings_set (object, &self->settings, id, value, pspec);
  /* Setting the point chooses it again, even if it is the same. */
  if (g_str_equal (pspec->name, "x") || g_str_equal (pspec->name, "y") || g_str_equal (pspec->name, "hold")) {
    GST_OBJECT_LOCK (self);
    self->settings.picture.features.choice++;
    GST_OBJECT_UNLOCK (self);
  }
}

static void
gst_rvm_overlay_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  rvm_settings_get (object, &GST_RVM_OVERLAY (object)->settings, id, value, pspec);
}

static void
gst_rvm_overlay_finalize (GObject * object)
{
  rvm_settings_clear (object, &GST_RVM_OVERLAY (object)->settings);
  G_OBJECT_CLASS (gst_rvm_overlay_parent_class)->finalize (object);
}

static void
gst_rvm_overlay_class_init (GstRvmOverlayClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (rvm_overlay_debug, "rvmoverlay", 0, "Shows recurrent video features");
  object->set_property = gst_rvm_overlay_set_property;
  object->get_property = gst_rvm_overlay_get_property;
  object->finalize = gst_rvm_overlay_finalize;
  gst_rvm_overlay_settings_install (object, PROP_FIRST_SETTING);
  gst_type_mark_as_plugin_api (gst_rvm_overlay_mode_get_type (), 0);
  gst_element_class_set_static_metadata (element, "Feature overlay", "Filter/Effect/Video",
      "Shows recurrent video features on the picture", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  base->start = gst_rvm_overlay_start;
  base->stop = gst_rvm_overlay_stop;
  base->sink_event = gst_rvm_overlay_sink_event;
  base->transform_caps = gst_rvm_overlay_transform_caps;
  base->fixate_caps = gst_rvm_overlay_fixate_caps;
  base->set_caps = gst_rvm_overlay_set_caps;
  base->propose_allocation = gst_rvm_overlay_propose_allocation;
  base->prepare_output_buffer = gst_rvm_overlay_prepare_output_buffer;
  base->transform_ip = gst_rvm_overlay_transform_ip;
}

static void
gst_rvm_overlay_init (GstRvmOverlay * self)
{
  /* Everything is 0, or set to its default as a construct property. */
}
