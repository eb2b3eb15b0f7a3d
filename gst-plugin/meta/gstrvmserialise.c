/* What arrives may come from anybody: every count is checked against the bytes that are there before anything is allocated. Masks are
 * runs of equal values. */
#include "gstrvmserialise.h"

/* GStreamer's inline variants store to unaligned addresses where the processor can, which sanitizers do not like. */
#define GST_BYTE_READER_DISABLE_INLINES
#define GST_BYTE_WRITER_DISABLE_INLINES
#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/video/video.h>
#include <string.h>

#define MAX_SIDE 16384          /* of a mask: a few runs can stand for all its pixels */

static void
put_text (GstByteWriter * out, const gchar * text)
{
  const guint size = text ? strlen (text) : 0;

  gst_byte_writer_put_uint32_le (out, size);
  gst_byte_writer_put_data (out, (const guint8 *) text, size);
}

/* (transfer full) (nullable): NULL if it does not fit. */
static gchar *
get_text (GstByteReader * in)
{
  const guint8 *text;
  guint32 size;

  if (!gst_byte_reader_get_uint32_le (in, &size) || !gst_byte_reader_get_data (in, size, &text)
      || !g_utf8_validate ((const gchar *) text, size, NULL))
    return NULL;
  return g_strndup ((const gchar *) text, size);
}

static GBytes *
finish (GstByteWriter * out)
{
  const gsize size = gst_byte_writer_get_size (out);

  return g_bytes_new_take (gst_byte_writer_reset_and_get_data (out), size);
}

/* Host order to little-endian and back. */
static guint8 *
swap_floats (gconstpointer values, gsize size)
{
  guint32 *swapped = g_memdup2 (values, size);

  for (gsize i = 0; G_BYTE_ORDER != G_LITTLE_ENDIAN && i < size / 4; i++)
    swapped[i] = GUINT32_SWAP_LE_BE (swapped[i]);
  return (guint8 *) swapped;
}

GBytes *
gst_rvm_feature_meta_to_bytes (const GstRvmFeatureMeta * meta)
{
  const guint32 numbers[] = { meta->parts, meta->rows, meta->columns, meta->dim, meta->frame_width, meta->frame_height,
    meta->analysis_width, meta->analysis_height, meta->carried != FALSE, meta->restored != FALSE
  };
  const guint64 counts[] = { meta->generation, meta->frames_since_reset, meta->update_pts, meta->restored_pts,
    meta->restored_age, meta->carried_count, meta->dropped_count
  };
  gsize size;
  gconstpointer values = g_bytes_get_data (meta->data, &size);
  g_autofree guint8 *swapped = swap_floats (values, size);
  GstByteWriter out;

  gst_byte_writer_init_with_size (&out, size + 256, FALSE);
  gst_byte_writer_put_uint8 (&out, GST_RVM_SERIALISE_VERSION);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    gst_byte_writer_put_uint32_le (&out, numbers[i]);
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    gst_byte_writer_put_uint64_le (&out, counts[i]);
  put_text (&out, meta->model_id);
  gst_byte_writer_put_data (&out, swapped, size);
  return finish (&out);
}

GstRvmFeatureMeta *
gst_rvm_buffer_add_feature_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  GstByteReader in;
  guint32 numbers[10];
  guint64 counts[7];
  const guint8 *values;
  guint8 version;
  g_autofree gchar *model_id = NULL;
  g_autoptr (GBytes) data = NULL;
  GstRvmFeatureMeta *meta;
  guint left;

  gst_byte_reader_init (&in, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (!gst_byte_reader_get_uint8 (&in, &version) || version != GST_RVM_SERIALISE_VERSION)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (!gst_byte_reader_get_uint32_le (&in, &numbers[i]))
      return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    if (!gst_byte_reader_get_uint64_le (&in, &counts[i]))
      return NULL;
  model_id = get_text (&in);
  if (model_id == NULL || numbers[0] > (GST_RVM_FEATURE_CLASS | GST_RVM_FEATURE_PATCHES))
    return NULL;
  left = gst_byte_reader_get_remaining (&in);
  if (!gst_byte_reader_get_data (&in, left, &values))
    return NULL;
  data = g_bytes_new_take (swap_floats (values, left), left);
  /* It compares the size with rows, columns and dim. */
  meta = gst_rvm_buffer_add_feature_meta (buffer, numbers[0], numbers[1], numbers[2], numbers[3], data, model_id);
  if (meta == NULL)
    return NULL;
  meta->frame_width = numbers[4];
  meta->frame_height = numbers[5];
  meta->analysis_width = numbers[6];
  meta->analysis_height = numbers[7];
  meta->carried = numbers[8] != 0;
  meta->restored = numbers[9] != 0;
  meta->generation = counts[0];
  meta->frames_since_reset = counts[1];
  meta->update_pts = counts[2];
  meta->restored_pts = counts[3];
  meta->restored_age = counts[4];
  meta->carried_count = counts[5];
  meta->dropped_count = counts[6];
  return meta;
}

static void
put_track (GstByteWriter * out, const GstRvmTrack * track)
{
  const gdouble places[] = { track->x, track->y, track->width, track->height, track->confidence };

  gst_byte_writer_put_uint32_le (out, track->id);
  gst_byte_writer_put_uint8 (out, track->kind);
  gst_byte_writer_put_uint8 (out, track->visible != FALSE);
  gst_byte_writer_put_uint8 (out, track->mask_value);
  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    gst_byte_writer_put_float64_le (out, places[i]);
  gst_byte_writer_put_uint64_le (out, track->first_seen);
  gst_byte_writer_put_uint64_le (out, track->last_seen);
  put_text (out, track->label ? g_quark_to_string (track->label) : NULL);
}

static gboolean
get_track (GstByteReader * in, GstRvmTrack * track)
{
  g_autofree gchar *label = NULL;
  guint8 kind, visible, value;

  if (!gst_byte_reader_get_uint32_le (in, &track->id) || !gst_byte_reader_get_uint8 (in, &kind)
      || !gst_byte_reader_get_uint8 (in, &visible) || !gst_byte_reader_get_uint8 (in, &value)
      || !gst_byte_reader_get_float64_le (in, &track->x) || !gst_byte_reader_get_float64_le (in, &track->y)
      || !gst_byte_reader_get_float64_le (in, &track->width) || !gst_byte_reader_get_float64_le (in, &track->height)
      || !gst_byte_reader_get_float64_le (in, &track->confidence)
      || !gst_byte_reader_get_uint64_le (in, &track->first_seen) || !gst_byte_reader_get_uint64_le (in, &track->last_seen)
      || (label = get_text (in)) == NULL || kind > GST_RVM_TRACK_MASK)
    return FALSE;
  track->kind = kind;
  track->visible = visible != 0;
  track->mask_value = value;
  track->label = *label ? g_quark_from_string (label) : 0;
  return TRUE;
}

/* Runs: a value and how often, which is less than a byte a pixel for anything that is a mask. */
static void
put_mask (GstByteWriter * out, const guint8 * pixels, gsize size)
{
  for (gsize at = 0; at < size;) {
    const gsize start = at;

    while (at < size && at - start < G_MAXUINT32 && pixels[at] == pixels[start])
      at++;
    gst_byte_writer_put_uint8 (out, pixels[start]);
    gst_byte_writer_put_uint32_le (out, at - start);
  }
}

/* (transfer full) (nullable) */
static GstBuffer *
get_mask (GstByteReader * in, guint width, guint height)
{
  const gsize size = (gsize) width * height;
  GstByteReader counted = *in;
  guint64 total = 0;
  guint8 *pixels, value;
  guint32 run;
  gsize at = 0;
  GstBuffer *mask;

  /* First whether they make up the picture, nothing more and nothing less. */
  while (total < size && gst_byte_reader_get_uint8 (&counted, &value) && gst_byte_reader_get_uint32_le (&counted, &run))
    total += run;
  if (total != size || size == 0)
    return NULL;
  pixels = g_try_malloc (size);
  if (pixels == NULL)
    return NULL;
  while (at < size && gst_byte_reader_get_uint8 (in, &value) && gst_byte_reader_get_uint32_le (in, &run)) {
    memset (pixels + at, value, run);
    at += run;
  }
  mask = gst_buffer_new_wrapped (pixels, size);
  gst_buffer_add_video_meta_full (mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, width, height, 1,
      (gsize[GST_VIDEO_MAX_PLANES]) {0}, (gint[GST_VIDEO_MAX_PLANES]) {width});
  return mask;
}

GBytes *
gst_rvm_track_meta_to_bytes (const GstRvmTrackMeta * meta)
{
  guint width = 0, height = 0;
  g_autoptr (GBytes) mask = gst_rvm_track_meta_get_mask (meta, &width, &height);
  GstByteWriter out;

  gst_byte_writer_init_with_size (&out, 256, FALSE);
  gst_byte_writer_put_uint8 (&out, GST_RVM_SERIALISE_VERSION);
  gst_byte_writer_put_uint32_le (&out, meta->n_tracks);
  for (guint i = 0; i < meta->n_tracks; i++)
    put_track (&out, &meta->tracks[i]);
  gst_byte_writer_put_uint32_le (&out, width);
  gst_byte_writer_put_uint32_le (&out, height);
  if (mask)
    put_mask (&out, g_bytes_get_data (mask, NULL), g_bytes_get_size (mask));
  return finish (&out);
}

GstRvmTrackMeta *
gst_rvm_buffer_add_track_meta_from_bytes (GstBuffer * buffer, GBytes * bytes)
{
  g_autoptr (GArray) tracks = g_array_new (FALSE, TRUE, sizeof (GstRvmTrack));
  g_autoptr (GstBuffer) mask = NULL;
  GstRvmTrackMeta *meta;
  GstByteReader in;
  guint32 n, width, height;
  guint8 version;

  gst_byte_reader_init (&in, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (!gst_byte_reader_get_uint8 (&in, &version) || version != GST_RVM_SERIALISE_VERSION
      || !gst_byte_reader_get_uint32_le (&in, &n))
    return NULL;
  for (guint i = 0; i < n; i++) {
    GstRvmTrack track = { 0 };

    if (!get_track (&in, &track))
      return NULL;
    g_array_append_val (tracks, track);
  }
  if (!gst_byte_reader_get_uint32_le (&in, &width) || !gst_byte_reader_get_uint32_le (&in, &height) || width > MAX_SIDE
      || height > MAX_SIDE)
    return NULL;
  if (width || height) {
    mask = get_mask (&in, width, height);
    if (mask == NULL)
      return NULL;
  }
  if (gst_byte_reader_get_remaining (&in) != 0)
    return NULL;
  meta = gst_rvm_buffer_add_track_meta (buffer, (const GstRvmTrack *) tracks->data, tracks->len);
  gst_buffer_replace (&meta->mask, mask);
  return meta;
}

#if GST_CHECK_VERSION (1, 24, 0)

static gboolean
serialise (const GstMeta * meta, GstByteArrayInterface * out, guint8 * version)
{
  g_autoptr (GBytes) bytes = meta->info->api == GST_RVM_TRACK_META_API_TYPE
      ? gst_rvm_track_meta_to_bytes ((const GstRvmTrackMeta *) meta)
      : gst_rvm_feature_meta_to_bytes ((const GstRvmFeatureMeta *) meta);

  *version = GST_RVM_SERIALISE_VERSION;
  return gst_byte_array_interface_append_data (out, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static GstMeta *
deserialise (const GstMetaInfo * info, GstBuffer * buffer, const guint8 * data, gsize size, guint8 version)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);

  if (version != GST_RVM_SERIALISE_VERSION)
    return NULL;
  return info->api == GST_RVM_TRACK_META_API_TYPE ? (GstMeta *) gst_rvm_buffer_add_track_meta_from_bytes (buffer, bytes)
      : (GstMeta *) gst_rvm_buffer_add_feature_meta_from_bytes (buffer, bytes);
}

const GstMetaInfo *
gst_rvm_meta_register (GType api, const gchar * impl, gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform)
{
  GstMetaInfo *info = gst_meta_info_new (api, impl, size);

  info->init_func = init;
  info->free_func = free;
  info->transform_func = transform;
  info->serialize_func = serialise;
  info->deserialize_func = deserialise;
  return gst_meta_info_register (info);
}

#else

const GstMetaInfo *
gst_rvm_meta_register (GType api, const gchar * impl, gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform)
{
  return gst_meta_register (api, impl, size, init, free, transform);
}

#endif
