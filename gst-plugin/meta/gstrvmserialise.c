/* Features, tracks and readouts as bytes, little-endian, so that they can cross to other processes: what GStreamer 1.24's unixfdsink does by the hooks of
 * GstMetaInfo, and older versions' applications may do themselves.
 *
 * A byte with the version, then the fields in the order of their table (gstrvmfields.h): 32 bits for numbers, sizes and ratios (twice) and flags, 64
 * for counts, times and ids, a length of 32 bits and UTF-8 for a text. Then the floats of features, or the tracks and their mask, as runs
 * of equal values, or classes, values and logits of a readout. What arrives may come from anybody: every count is compared with the bytes that are there before anything is allocated. */

/* GStreamer's inline variants store to unaligned addresses where the processor can, which sanitizers do not like. */
#define GST_BYTE_READER_DISABLE_INLINES
#define GST_BYTE_WRITER_DISABLE_INLINES
#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/video/video.h>
#include <string.h>

#include "gstrvmcopies.h"
#include "gstrvmfields.h"
#include "gstrvmregister.h"
#include "video/orientation.h"

#define MAX_SIDE 16384          /* of a mask: a few runs can stand for all its pixels */
#define NO_TEXT G_MAXUINT32     /* the length of NULL */

/* Sets @error to what is wrong with the bytes of @what; FALSE. */
static gboolean G_GNUC_PRINTF (3, 4)
fail (GError ** error, const gchar * what, const gchar * format, ...)
{
  g_autofree gchar *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE, "%s as bytes: %s", what, text);
  return FALSE;
}

static void
put_text (GstByteWriter * out, const gchar * text)
{
  g_autofree gchar *valid = text ? g_utf8_make_valid (text, -1) : NULL;

  gst_byte_writer_put_uint32_le (out, valid ? strlen (valid) : NO_TEXT);
  if (valid)
    gst_byte_writer_put_data (out, (const guint8 *) valid, strlen (valid));
}

static gboolean
get_text (GstByteReader * in, gchar ** text)
{
  const guint8 *bytes;
  guint32 size;

  g_clear_pointer (text, g_free);
  if (!gst_byte_reader_get_uint32_le (in, &size))
    return FALSE;
  if (size == NO_TEXT)
    return TRUE;
  if (!gst_byte_reader_get_data (in, size, &bytes) || !g_utf8_validate ((const gchar *) bytes, size, NULL))
    return FALSE;
  *text = g_strndup ((const gchar *) bytes, size);
  return TRUE;
}

static void
put_fields (GstByteWriter * out, const GstRvmFields * fields, gconstpointer copy)
{
  for (guint i = 0; i < fields->n; i++) {
    const GstRvmField *field = &fields->list[i];
    gconstpointer at = G_STRUCT_MEMBER_P (copy, field->offsets[GST_RVM_IN_COPY]);

    switch (field->kind) {
      case GST_RVM_FIELD_UINT:
      case GST_RVM_FIELD_ORIENTATION:
        gst_byte_writer_put_uint32_le (out, *(const guint *) at);
        break;
      case GST_RVM_FIELD_SIZE:
      case GST_RVM_FIELD_RATIO:
        gst_byte_writer_put_uint32_le (out, ((const guint *) at)[0]);
        gst_byte_writer_put_uint32_le (out, ((const guint *) at)[1]);
        break;
      case GST_RVM_FIELD_FLAG:
        gst_byte_writer_put_uint32_le (out, *(const gboolean *) at != FALSE);
        break;
      case GST_RVM_FIELD_TEXT:
        put_text (out, *(gchar * const *) at);
        break;
      case GST_RVM_FIELD_REAL:
        gst_byte_writer_put_float64_le (out, *(const gdouble *) at);
        break;
      default:
        gst_byte_writer_put_uint64_le (out, *(const guint64 *) at);
    }
  }
}

static gboolean
get_field (const GstRvmField * field, gpointer at, GstByteReader * in)
{
  switch (field->kind) {
    case GST_RVM_FIELD_UINT:
      return gst_byte_reader_get_uint32_le (in, at);
    case GST_RVM_FIELD_SIZE:
      return gst_byte_reader_get_uint32_le (in, at) && gst_byte_reader_get_uint32_le (in, (guint *) at + 1);
    case GST_RVM_FIELD_RATIO:
      return gst_byte_reader_get_uint32_le (in, at) && gst_byte_reader_get_uint32_le (in, (guint *) at + 1) && ((guint *) at)[0] > 0
          && ((guint *) at)[1] > 0;
    case GST_RVM_FIELD_ORIENTATION:
      return gst_byte_reader_get_uint32_le (in, at) && rvm_orientation_is_valid (*(guint *) at);
    case GST_RVM_FIELD_FLAG:{
      guint32 flag;

      if (!gst_byte_reader_get_uint32_le (in, &flag))
        return FALSE;
      *(gboolean *) at = flag != 0;
      return TRUE;
    }
    case GST_RVM_FIELD_TEXT:
      return get_text (in, at);
    case GST_RVM_FIELD_REAL:
      return gst_byte_reader_get_float64_le (in, at);
    default:
      return gst_byte_reader_get_uint64_le (in, at);
  }
}

static gboolean
get_fields (GstByteReader * in, const GstRvmFields * fields, gpointer copy, GError ** error)
{
  for (guint i = 0; i < fields->n; i++) {
    const GstRvmField *field = &fields->list[i];

    if (get_field (field, G_STRUCT_MEMBER_P (copy, field->offsets[GST_RVM_IN_COPY]), in))
      continue;
    return fail (error, fields->what, "'%s' is cut off%s", field->name, field->kind == GST_RVM_FIELD_TEXT ? " or is not UTF-8"
        : field->kind == GST_RVM_FIELD_RATIO ? " or has a 0" : field->kind == GST_RVM_FIELD_ORIENTATION ? " or is none of the eight" : "");
  }
  return TRUE;
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

/* The version, with which bytes begin. */
static gboolean
get_version (GstByteReader * in, const gchar * what, GError ** error)
{
  guint8 version;

  if (!gst_byte_reader_get_uint8 (in, &version))
    return fail (error, what, "there are none");
  return version == GST_RVM_SERIALISE_VERSION || fail (error, what, "they are of version %u, expected %u: both sides need the same"
      " version of gst-rvm", version, GST_RVM_SERIALISE_VERSION);
}

GBytes *
gst_rvm_features_to_bytes (const GstRvmFeatures * features)
{
  gsize size;
  gconstpointer values = g_bytes_get_data (features->_data, &size);
  g_autofree guint8 *swapped = swap_floats (values, size);
  GstByteWriter out;

  gst_byte_writer_init_with_size (&out, size + 512, FALSE);
  gst_byte_writer_put_uint8 (&out, GST_RVM_SERIALISE_VERSION);
  put_fields (&out, &gst_rvm_feature_fields, features);
  gst_byte_writer_put_data (&out, swapped, size);
  return finish (&out);
}

GstRvmFeatures *
gst_rvm_features_new_from_bytes (GBytes * bytes, GError ** error)
{
  g_autoptr (GstRvmFeatures) features = gst_rvm_features_new ();
  const gchar *what = gst_rvm_feature_fields.what;
  const guint8 *values = NULL;
  GstByteReader in;
  guint left;

  g_return_val_if_fail (bytes != NULL, NULL);

  gst_byte_reader_init (&in, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (!get_version (&in, what, error) || !get_fields (&in, &gst_rvm_feature_fields, features, error))
    return NULL;
  left = gst_byte_reader_get_remaining (&in);
  if (!gst_rvm_features_fit (features->parts, features->rows, features->columns, features->dim, left)) {
    fail (error, what, "%u bytes of values, which are not %u x %u patches of %u floats (parts %u)", left, features->rows,
        features->columns, features->dim, features->parts);
    return NULL;
  }
  if (left > 0 && !gst_byte_reader_get_data (&in, left, &values))
    return NULL;
  features->_data = g_bytes_new_take (swap_floats (values, left), left);
  return g_steal_pointer (&features);
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
      || !get_text (in, &label) || kind > GST_RVM_TRACK_MASK)
    return FALSE;
  track->kind = kind;
  track->visible = visible != 0;
  track->mask_value = value;
  track->label = label && *label ? g_quark_from_string (label) : 0;
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
gst_rvm_tracks_to_bytes (const GstRvmTracks * tracks)
{
  guint width = 0, height = 0;
  g_autoptr (GBytes) mask = gst_rvm_tracks_get_mask (tracks, &width, &height);
  GstByteWriter out;

  gst_byte_writer_init_with_size (&out, 512, FALSE);
  gst_byte_writer_put_uint8 (&out, GST_RVM_SERIALISE_VERSION);
  put_fields (&out, &gst_rvm_track_fields, tracks);
  gst_byte_writer_put_uint32_le (&out, tracks->n_tracks);
  for (guint i = 0; i < tracks->n_tracks; i++)
    put_track (&out, &tracks->_tracks[i]);
  gst_byte_writer_put_uint32_le (&out, width);
  gst_byte_writer_put_uint32_le (&out, height);
  if (mask)
    put_mask (&out, g_bytes_get_data (mask, NULL), g_bytes_get_size (mask));
  return finish (&out);
}

/* The mask and nothing behind it; @mask stays NULL if there is none. */
static gboolean
get_rest (GstByteReader * in, GstBuffer ** mask, GError ** error)
{
  const gchar *what = gst_rvm_track_fields.what;
  guint32 width, height;

  if (!gst_byte_reader_get_uint32_le (in, &width) || !gst_byte_reader_get_uint32_le (in, &height))
    return fail (error, what, "the size of the mask is cut off");
  if (width > MAX_SIDE || height > MAX_SIDE)
    return fail (error, what, "a mask of %u x %u pixels, expected at most %u a side", width, height, MAX_SIDE);
  if (width || height) {
    *mask = get_mask (in, width, height);
    if (*mask == NULL)
      return fail (error, what, "the mask is not of %u x %u pixels", width, height);
  }
  return gst_byte_reader_get_remaining (in) == 0
      || fail (error, what, "%u bytes too many", gst_byte_reader_get_remaining (in));
}

GstRvmTracks *
gst_rvm_tracks_new_from_bytes (GBytes * bytes, GError ** error)
{
  g_autoptr (GArray) list = g_array_new (FALSE, TRUE, sizeof (GstRvmTrack));
  g_autoptr (GstRvmTracks) tracks = gst_rvm_tracks_new ();
  const gchar *what = gst_rvm_track_fields.what;
  GstByteReader in;
  guint32 n;

  g_return_val_if_fail (bytes != NULL, NULL);

  gst_byte_reader_init (&in, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (!get_version (&in, what, error) || !get_fields (&in, &gst_rvm_track_fields, tracks, error))
    return NULL;
  if (!gst_byte_reader_get_uint32_le (&in, &n)) {
    fail (error, what, "the number of tracks is cut off");
    return NULL;
  }
  for (guint i = 0; i < n; i++) {
    GstRvmTrack track = { 0 };

    if (!get_track (&in, &track)) {
      fail (error, what, "track %u of %u is cut off, of no known kind, or has a label that is not UTF-8", i + 1, n);
      return NULL;
    }
    g_array_append_val (list, track);
  }
  if (!get_rest (&in, &tracks->_mask, error))
    return NULL;
  tracks->n_tracks = list->len;
  tracks->_tracks = (GstRvmTrack *) g_array_free (g_steal_pointer (&list), FALSE);
  return g_steal_pointer (&tracks);
}

GBytes *
gst_rvm_readout_to_bytes (const GstRvmReadout * readout)
{
  const guint n = readout->_classes ? g_strv_length (readout->_classes) : 0;
  gsize size;
  gconstpointer values = g_bytes_get_data (readout->_values, &size);
  g_autofree guint8 *swapped = swap_floats (values, size), *logits = NULL;
  GstByteWriter out;

  gst_byte_writer_init_with_size (&out, 2 * size + 512, FALSE);
  gst_byte_writer_put_uint8 (&out, GST_RVM_SERIALISE_VERSION);
  put_fields (&out, &gst_rvm_readout_fields, readout);
  gst_byte_writer_put_uint32_le (&out, n);
  for (guint i = 0; i < n; i++)
    put_text (&out, readout->_classes[i]);
  gst_byte_writer_put_uint8 (&out, readout->_logits != NULL);
  gst_byte_writer_put_data (&out, swapped, size);
  if (readout->_logits) {
    logits = swap_floats (g_bytes_get_data (readout->_logits, NULL), size);
    gst_byte_writer_put_data (&out, logits, size);
  }
  return finish (&out);
}

/* As many as there are channels, or none. */
static gboolean
get_classes (GstByteReader * in, GstRvmReadout * readout, GError ** error)
{
  const gchar *what = gst_rvm_readout_fields.what;
  g_autoptr (GPtrArray) classes = g_ptr_array_new_with_free_func (g_free);
  guint32 n;

  if (!gst_byte_reader_get_uint32_le (in, &n))
    return fail (error, what, "the number of classes is cut off");
  if (n > 0 && n != readout->channels)
    return fail (error, what, "%u classes, expected none or %u, which is 'channels'", n, readout->channels);
  for (guint i = 0; i < n; i++) {
    gchar *name = NULL;

    if (!get_text (in, &name) || name == NULL)
      return fail (error, what, "class %u of %u is cut off or is not UTF-8", i + 1, n);
    g_ptr_array_add (classes, name);
  }
  if (n > 0) {
    g_ptr_array_add (classes, NULL);
    readout->_classes = (gchar **) g_ptr_array_free (g_steal_pointer (&classes), FALSE);
  }
  return TRUE;
}

GstRvmReadout *
gst_rvm_readout_new_from_bytes (GBytes * bytes, GError ** error)
{
  g_autoptr (GstRvmReadout) readout = gst_rvm_readout_new ();
  const gchar *what = gst_rvm_readout_fields.what;
  const guint8 *values;
  GstByteReader in;
  guint8 logits;
  guint left;

  g_return_val_if_fail (bytes != NULL, NULL);

  gst_byte_reader_init (&in, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (!get_version (&in, what, error) || !get_fields (&in, &gst_rvm_readout_fields, readout, error) || !get_classes (&in, readout, error))
    return NULL;
  if (!gst_byte_reader_get_uint8 (&in, &logits)) {
    fail (error, what, "whether there are logits is cut off");
    return NULL;
  }
  left = gst_byte_reader_get_remaining (&in) / (logits ? 2 : 1);
  if (gst_byte_reader_get_remaining (&in) % (logits ? 2 : 1) != 0
      || !gst_rvm_readout_fits (readout->kind, readout->rows, readout->columns, readout->channels, left)) {
    fail (error, what, "%u bytes of values, which are not %u x %u places of %u floats (kind %u)", left, readout->rows, readout->columns,
        readout->channels, readout->kind);
    return NULL;
  }
  if (!gst_byte_reader_get_data (&in, left, &values))
    return NULL;
  readout->_values = g_bytes_new_take (swap_floats (values, left), left);
  if (logits && gst_byte_reader_get_data (&in, left, &values))
    readout->_logits = g_bytes_new_take (swap_floats (values, left), left);
  return g_steal_pointer (&readout);
}
