/* The track meta. Tagged as video, size and orientation, like the features: positions are pixels, scaled with the picture. */
#include "gstrvmtrackmeta.h"

#include <gst/video/video.h>
#include <string.h>

#include "gstrvmserialise.h"

GType
gst_rvm_track_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_boxed_type_register_static ("GstRvmTrack",
            (GBoxedCopyFunc) gst_rvm_track_copy,
            (GBoxedFreeFunc) gst_rvm_track_free));
  return type;
}

GType
gst_rvm_track_kind_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {GST_RVM_TRACK_POINT, "Point", "point"},
      {GST_RVM_TRACK_BOX, "Box", "box"},
      {GST_RVM_TRACK_MASK, "Mask", "mask"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmTrackKind",
            values));
  }
  return type;
}

GstRvmTrack *
gst_rvm_track_copy (const GstRvmTrack * track)
{
  return g_memdup2 (track, sizeof *track);
}

void
gst_rvm_track_free (GstRvmTrack * track)
{
  g_free (track);
}

GType
gst_rvm_track_meta_api_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const gchar *tags[] = { GST_META_TAG_VIDEO_STR,
      GST_META_TAG_VIDEO_SIZE_STR, GST_META_TAG_VIDEO_ORIENTATION_STR, NULL
    };
    g_once_init_leave (&type,
        gst_meta_api_type_register ("GstRvmTrackMetaAPI", tags));
  }
  return type;
}

static gboolean
track_meta_init (GstMeta * meta, gpointer params, GstBuffer * buffer)
{
  GstRvmTrackMeta *self = (GstRvmTrackMeta *) meta;

  self->n_tracks = 0;
  self->tracks = NULL;
  self->mask = NULL;
  return TRUE;
}

static void
track_meta_free (GstMeta * meta, GstBuffer * buffer)
{
  GstRvmTrackMeta *self = (GstRvmTrackMeta *) meta;

  g_clear_pointer (&self->tracks, g_free);
  gst_clear_buffer (&self->mask);
}

static gboolean
track_meta_transform (GstBuffer * dest, GstMeta * meta, GstBuffer * buffer,
    GQuark type, gpointer data)
{
  const GstRvmTrackMeta *self = (const GstRvmTrackMeta *) meta;
  gdouble x_scale = 1, y_scale = 1;
  GstRvmTrackMeta *copy;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    if (((const GstMetaTransformCopy *) data)->region)
      return FALSE;
  } else if (GST_VIDEO_META_TRANSFORM_IS_SCALE (type)) {
    const GstVideoMetaTransform *scale = data;

    x_scale = (gdouble) GST_VIDEO_INFO_WIDTH (scale->out_info)
        / GST_VIDEO_INFO_WIDTH (scale->in_info);
    y_scale = (gdouble) GST_VIDEO_INFO_HEIGHT (scale->out_info)
        / GST_VIDEO_INFO_HEIGHT (scale->in_info);
  } else {
    return FALSE;
  }
  copy = gst_rvm_buffer_add_track_meta (dest, self->tracks, self->n_tracks);
  gst_buffer_replace (&copy->mask, self->mask);
  for (guint i = 0; i < copy->n_tracks; i++) {
    copy->tracks[i].x *= x_scale;
    copy->tracks[i].width *= x_scale;
    copy->tracks[i].y *= y_scale;
    copy->tracks[i].height *= y_scale;
  }
  return TRUE;
}

const GstMetaInfo *
gst_rvm_track_meta_get_info (void)
{
  static const GstMetaInfo *info = NULL;

  if (g_once_init_enter ((GstMetaInfo **) & info)) {
    const GstMetaInfo *registered =
        gst_rvm_meta_register (GST_RVM_TRACK_META_API_TYPE, "GstRvmTrackMeta",
        sizeof (GstRvmTrackMeta), track_meta_init, track_meta_free,
        track_meta_transform);
    g_once_init_leave ((GstMetaInfo **) & info, (GstMetaInfo *) registered);
  }
  return info;
}

GstRvmTrackMeta *
gst_rvm_buffer_add_track_meta (GstBuffer * buffer, const GstRvmTrack * tracks,
    guint n_tracks)
{
  GstRvmTrackMeta *meta;

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  meta = (GstRvmTrackMeta *) gst_buffer_add_meta (buffer,
      GST_RVM_TRACK_META_INFO, NULL);
  meta->n_tracks = n_tracks;
  meta->tracks = g_memdup2 (tracks, n_tracks * sizeof *tracks);
  return meta;
}

GstRvmTrackMeta *
gst_rvm_buffer_get_track_meta (GstBuffer * buffer)
{
  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);

  return (GstRvmTrackMeta *) gst_buffer_get_meta (buffer,
      GST_RVM_TRACK_META_API_TYPE);
}

gboolean
gst_rvm_track_meta_set_mask (GstRvmTrackMeta * meta, GstBuffer * mask)
{
  const GstVideoMeta *video;

  if (mask) {
    video = gst_buffer_get_video_meta (mask);
    if (video == NULL || video->format != GST_VIDEO_FORMAT_GRAY8)
      return FALSE;
  }
  gst_buffer_replace (&meta->mask, mask);
  return TRUE;
}

GBytes *
gst_rvm_track_meta_get_mask (const GstRvmTrackMeta * meta, guint * width,
    guint * height)
{
  GstVideoMeta *video;
  GstMapInfo map;
  guint8 *pixels, *plane;
  gint stride;

  if (meta->mask == NULL)
    return NULL;
  video = gst_buffer_get_video_meta (meta->mask);
  if (!gst_video_meta_map (video, 0, &map, (gpointer *) & plane, &stride,
          GST_MAP_READ))
    return NULL;
  pixels = g_malloc ((gsize) video->width * video->height);
  for (guint y = 0; y < video->height; y++)
    memcpy (pixels + (gsize) y * video->width, plane + (gssize) y * stride,
        video->width);
  gst_video_meta_unmap (video, 0, &map);
  if (width)
    *width = video->width;
  if (height)
    *height = video->height;
  return g_bytes_new_take (pixels, (gsize) video->width * video->height);
}

GstRvmTrack *
gst_rvm_track_meta_get_track (const GstRvmTrackMeta * meta, guint index)
{
  return index < meta->n_tracks ? gst_rvm_track_copy (&meta->tracks[index]) :
      NULL;
}
