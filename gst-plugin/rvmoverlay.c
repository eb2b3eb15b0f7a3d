/**
 * SECTION:element-rvmoverlay
 * @title: rvmoverlay
 * @short_description: shows features on the picture
 *
 * Draws the features that rvmencode attached over the picture, each patch in a
 * colour: `mode=pca` shows their three strongest principal components as red,
 * green and blue (fitted on the first `fit-frames` frames, then fixed, so that a
 * colour keeps its meaning), `mode=similarity` how alike each patch is to the one
 * at `x`, `y`, `mode=change` how much each differs from the frame before,
 * `mode=none` nothing. Points and boxes of rvmtrack are drawn with their ids and
 * trails. Frames without either pass through as they are.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert ! rvmencode size=256 ! rvmoverlay alpha=0.7 ! videoconvert ! autovideosink
 * ]|
 */
#include "rvmoverlay.h"

#include <gst/video/video.h>

#include "feature_picture.h"
#include "track_picture.h"

GST_DEBUG_CATEGORY_STATIC (rvm_overlay_debug);
#define GST_CAT_DEFAULT rvm_overlay_debug

struct _GstRvmOverlay
{
  GstVideoFilter parent;

  /* object lock */
  RvmPictureKind mode;
  gdouble alpha, x, y;
  guint fit_frames;
  gboolean tracks;

  /* streaming thread */
  RvmFeaturePicture *picture;
  RvmTrackPicture *track_picture;
  guint64 frames;               /* with features or tracks */
};

enum
{
  PROP_0,
  PROP_MODE,
  PROP_ALPHA,
  PROP_X,
  PROP_Y,
  PROP_FIT_FRAMES,
  PROP_TRACKS,
};

#define CAPS GST_VIDEO_CAPS_MAKE (GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS));

static GType
gst_rvm_overlay_mode_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {RVM_PICTURE_PCA, "Principal components as colours", "pca"},
      {RVM_PICTURE_SIMILARITY, "Similarity to the patch at x, y", "similarity"},
      {RVM_PICTURE_CHANGE, "Change from the frame before", "change"},
      {RVM_PICTURE_NONE, "No features", "none"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmOverlayMode", values));
  }
  return type;
}

G_DEFINE_TYPE (GstRvmOverlay, gst_rvm_overlay, GST_TYPE_VIDEO_FILTER)
GST_ELEMENT_REGISTER_DEFINE (rvmoverlay, "rvmoverlay", GST_RANK_NONE,
    GST_TYPE_RVM_OVERLAY)

static gboolean
gst_rvm_overlay_start (GstBaseTransform * base)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);

  GST_OBJECT_LOCK (self);
  self->picture = rvm_feature_picture_new (self->fit_frames);
  GST_OBJECT_UNLOCK (self);
  self->track_picture = rvm_track_picture_new ();
  self->frames = 0;
  return TRUE;
}

static gboolean
gst_rvm_overlay_stop (GstBaseTransform * base)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);

  g_clear_pointer (&self->picture, rvm_feature_picture_free);
  g_clear_pointer (&self->track_picture, rvm_track_picture_free);
  return TRUE;
}

/* The features as a picture of a pixel per patch, to be stretched over the
 * frame. */
static GstVideoOverlayRectangle *
render (GstRvmOverlay * self, const GstRvmFeatureMeta * meta, GBytes * patches,
    const GstVideoInfo * info)
{
  const gsize size = (gsize) meta->rows * meta->columns * 4;
  g_autoptr (GstBuffer) pixels = gst_buffer_new_allocate (NULL, size, NULL);
  RvmPictureKind mode;
  gdouble alpha, x, y;
  GstMapInfo map;

  GST_OBJECT_LOCK (self);
  mode = self->mode;
  alpha = self->alpha;
  x = self->x;
  y = self->y;
  GST_OBJECT_UNLOCK (self);
  gst_buffer_map (pixels, &map, GST_MAP_WRITE);
  rvm_feature_picture_render (self->picture, mode, g_bytes_get_data (patches, NULL),
      meta->rows, meta->columns, meta->dim, x, y, alpha * 255 + 0.5, map.data);
  gst_buffer_unmap (pixels, &map);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, meta->columns, meta->rows);
  return gst_video_overlay_rectangle_new_raw (pixels, 0, 0,
      GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
      GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
}

static GstVideoOverlayRectangle *
render_tracks (GstRvmOverlay * self, const GstRvmTrackMeta * meta,
    const GstVideoInfo * info)
{
  const guint width = GST_VIDEO_INFO_WIDTH (info), height = GST_VIDEO_INFO_HEIGHT (info);
  g_autoptr (GstBuffer) pixels = gst_buffer_new_allocate (NULL, (gsize) width * height * 4, NULL);
  GstMapInfo map;

  gst_buffer_map (pixels, &map, GST_MAP_WRITE);
  rvm_track_picture_render (self->track_picture, meta, width, height, map.data);
  gst_buffer_unmap (pixels, &map);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, width, height);
  return gst_video_overlay_rectangle_new_raw (pixels, 0, 0, width, height,
      GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
}

static GstFlowReturn
gst_rvm_overlay_transform_frame_ip (GstVideoFilter * filter, GstVideoFrame * frame)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (filter);
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (frame->buffer);
  const GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (frame->buffer);
  g_autoptr (GBytes) patches = meta ? gst_rvm_feature_meta_get_patches (meta) : NULL;
  GstVideoOverlayRectangle *rectangles[2];
  GstVideoOverlayComposition *composition;
  gboolean blended, features;
  guint n = 0;

  self->frames += patches || tracks;
  GST_OBJECT_LOCK (self);
  features = patches && self->mode != RVM_PICTURE_NONE;
  tracks = self->tracks ? tracks : NULL;
  GST_OBJECT_UNLOCK (self);
  if (features)
    rectangles[n++] = render (self, meta, patches, &frame->info);
  if (tracks)
    rectangles[n++] = render_tracks (self, tracks, &frame->info);
  if (n == 0)
    return GST_FLOW_OK;
  composition = gst_video_overlay_composition_new (rectangles[0]);
  if (n > 1)
    gst_video_overlay_composition_add_rectangle (composition, rectangles[1]);
  while (n)
    gst_video_overlay_rectangle_unref (rectangles[--n]);
  blended = gst_video_overlay_composition_blend (composition, frame);
  gst_video_overlay_composition_unref (composition);
  if (!blended) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT, ("features cannot be drawn on %s pictures",
            GST_VIDEO_INFO_NAME (&frame->info)), (NULL));
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

static gboolean
gst_rvm_overlay_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && self->frames == 0)
    GST_ELEMENT_WARNING (self, STREAM, FAILED,
        ("no features or tracks arrived: is rvmencode upstream?"), (NULL));
  return GST_BASE_TRANSFORM_CLASS (gst_rvm_overlay_parent_class)->sink_event
      (base, event);
}

static void
gst_rvm_overlay_set_property (GObject * object, guint id, const GValue * value, GParamSpec * pspec)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MODE:
      self->mode = g_value_get_enum (value);
      break;
    case PROP_ALPHA:
      self->alpha = g_value_get_double (value);
      break;
    case PROP_X:
      self->x = g_value_get_double (value);
      break;
    case PROP_Y:
      self->y = g_value_get_double (value);
      break;
    case PROP_FIT_FRAMES:
      self->fit_frames = g_value_get_uint (value);
      break;
    case PROP_TRACKS:
      self->tracks = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_overlay_get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  GstRvmOverlay *self = GST_RVM_OVERLAY (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MODE:
      g_value_set_enum (value, self->mode);
      break;
    case PROP_ALPHA:
      g_value_set_double (value, self->alpha);
      break;
    case PROP_X:
      g_value_set_double (value, self->x);
      break;
    case PROP_Y:
      g_value_set_double (value, self->y);
      break;
    case PROP_FIT_FRAMES:
      g_value_set_uint (value, self->fit_frames);
      break;
    case PROP_TRACKS:
      g_value_set_boolean (value, self->tracks);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rvm_overlay_class_init (GstRvmOverlayClass * klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);
  GstElementClass *element = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  const GParamFlags playing = flags | GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE;

  GST_DEBUG_CATEGORY_INIT (rvm_overlay_debug, "rvmoverlay", 0, "Shows recurrent video features");
  object->set_property = gst_rvm_overlay_set_property;
  object->get_property = gst_rvm_overlay_get_property;
  g_object_class_install_property (object, PROP_MODE,
      g_param_spec_enum ("mode", "Mode", "What the colours show",
          gst_rvm_overlay_mode_get_type (), RVM_PICTURE_PCA, playing));
  g_object_class_install_property (object, PROP_ALPHA,
      g_param_spec_double ("alpha", "Alpha", "Opacity of the colours", 0, 1, 0.6, playing));
  g_object_class_install_property (object, PROP_X,
      g_param_spec_double ("x", "X", "For mode=similarity: the point that all patches are compared"
          " with, as a fraction of the width", 0, 1, 0.5, playing));
  g_object_class_install_property (object, PROP_Y,
      g_param_spec_double ("y", "Y", "For mode=similarity: the same, as a fraction of the height",
          0, 1, 0.5, playing));
  g_object_class_install_property (object, PROP_FIT_FRAMES,
      g_param_spec_uint ("fit-frames", "Fit frames",
          "Frames that the principal components are fitted on", 1, 64, 8,
          flags | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property (object, PROP_TRACKS,
      g_param_spec_boolean ("tracks", "Tracks", "Draw the points and boxes of rvmtrack", TRUE, playing));
  gst_type_mark_as_plugin_api (gst_rvm_overlay_mode_get_type (), 0);
  gst_element_class_set_static_metadata (element, "Feature overlay", "Filter/Effect/Video",
      "Shows recurrent video features on the picture", "gst-rvm");
  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  base->start = gst_rvm_overlay_start;
  base->stop = gst_rvm_overlay_stop;
  base->sink_event = gst_rvm_overlay_sink_event;
  GST_VIDEO_FILTER_CLASS (klass)->transform_frame_ip = gst_rvm_overlay_transform_frame_ip;
}

static void
gst_rvm_overlay_init (GstRvmOverlay * self)
{
  self->mode = RVM_PICTURE_PCA;
  self->alpha = 0.6;
  self->x = self->y = 0.5;
  self->fit_frames = 8;
  self->tracks = TRUE;
}
