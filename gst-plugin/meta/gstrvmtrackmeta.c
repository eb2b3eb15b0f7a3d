/* The track meta. Tagged as video, size and orientation, like the features: positions are pixels, scaled with the picture. */
#include "gstrvmtrackmeta.h"

#include <gst/video/video.h>
#include <string.h>

#include "gstrvmcopies.h"
#include "gstrvmfields.h"
#include "gstrvmregister.h"
#include "gstrvmupright.h"

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
  memset (self->_gst_reserved, 0, sizeof self->_gst_reserved);
  gst_rvm_fields_init (&gst_rvm_track_fields, GST_RVM_IN_META, self);
  return TRUE;
}

static void
track_meta_free (GstMeta * meta, GstBuffer * buffer)
{
  GstRvmTrackMeta *self = (GstRvmTrackMeta *) meta;

  g_clear_pointer (&self->tracks, g_free);
  gst_clear_buffer (&self->mask);
  gst_rvm_fields_clear (&gst_rvm_track_fields, GST_RVM_IN_META, self);
}

static gboolean
track_meta_transform (GstBuffer * dest, GstMeta * meta, GstBuffer * buffer,
    GQuark type, gpointer data)
{
  const GstRvmTrackMeta *self = (const GstRvmTrackMeta *) meta;
  GstRvmUpright upright = { self->frame_width, self->frame_height,
    self->orientation, 1, 1
  };
  gdouble x_scale = 1, y_scale = 1;
  GstRvmTrackMeta *copy;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    if (((const GstMetaTransformCopy *) data)->region)
      return FALSE;
  } else if (GST_VIDEO_META_TRANSFORM_IS_SCALE (type)) {
    if (!gst_rvm_upright_scale (&upright, data, &x_scale, &y_scale))
      return FALSE;
  } else {
    return FALSE;
  }
  copy = gst_rvm_buffer_add_track_meta (dest, self->tracks, self->n_tracks);
  gst_buffer_replace (&copy->mask, self->mask);
  gst_rvm_fields_copy (&gst_rvm_track_fields, GST_RVM_IN_META, self, GST_RVM_IN_META, copy);
  copy->frame_width = upright.width;
  copy->frame_height = upright.height;
  for (guint i = 0; i < copy->n_tracks; i++) {
    copy->tracks[i].x *= x_scale;
    copy->tracks[i].width *= x_scale;
    copy->tracks[i].y *= y_scale;
    copy->tracks[i].height *= y_scale;
  }
  return TRUE;
}

static GBytes *
track_meta_to_bytes (const GstMeta * meta)
{
  return gst_rvm_track_meta_to_bytes ((const GstRvmTrackMeta *) meta);
}

static GstMeta *
track_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  return (GstMeta *) gst_rvm_buffer_add_track_meta_from_bytes (buffer, bytes);
}

const GstMetaInfo *
gst_rvm_track_meta_get_info (void)
{
  static const GstRvmMetaBytes bytes = { track_meta_to_bytes, track_meta_from_bytes };
  static const GstMetaInfo *info = NULL;

  if (g_once_init_enter ((GstMetaInfo **) & info)) {
    const GstMetaInfo *registered =
        gst_rvm_meta_register (GST_RVM_TRACK_META_API_TYPE, "GstRvmTrackMeta",
        sizeof (GstRvmTrackMeta), track_meta_init, track_meta_free,
        track_meta_transform, &bytes);
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

typedef struct
{
  const gchar *encoder, *tracker;       /* or NULL: any */
} Names;

static gboolean
is_of_names (const GstMeta * meta, gconstpointer data)
{
  const GstRvmTrackMeta *self = (const GstRvmTrackMeta *) meta;
  const Names *names = data;

  return (names->encoder == NULL || g_strcmp0 (self->encoder, names->encoder) == 0)
      && (names->tracker == NULL || g_strcmp0 (self->tracker, names->tracker) == 0);
}

GstRvmTrackMeta *
gst_rvm_buffer_get_track_meta_from (GstBuffer * buffer, const gchar * encoder, const gchar * tracker)
{
  const Names names = { encoder, tracker };

  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);

  return (GstRvmTrackMeta *) gst_rvm_buffer_find_meta (buffer, GST_RVM_TRACK_META_API_TYPE, is_of_names, &names);
}

GstRvmTrackMeta *
gst_rvm_buffer_get_track_meta (GstBuffer * buffer)
{
  return gst_rvm_buffer_get_track_meta_from (buffer, NULL, NULL);
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
  return gst_rvm_mask_get_pixels (meta->mask, width, height);
}

GstRvmTrack *
gst_rvm_track_meta_get_track (const GstRvmTrackMeta * meta, guint index)
{
  return index < meta->n_tracks ? gst_rvm_track_copy (&meta->tracks[index]) :
      NULL;
}

GBytes *
gst_rvm_track_meta_to_bytes (const GstRvmTrackMeta * meta)
{
  g_autoptr (GstRvmTracks) tracks = gst_rvm_track_meta_get_tracks (meta);

  return gst_rvm_tracks_to_bytes (tracks);
}

GstRvmTrackMeta *
gst_rvm_buffer_add_track_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstRvmTracks) tracks = gst_rvm_tracks_new_from_bytes (bytes, &error);

  if (tracks)
    return gst_rvm_buffer_add_tracks (buffer, tracks);
  GST_WARNING ("%s", error->message);
  return NULL;
}
