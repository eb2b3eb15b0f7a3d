/* What rvmencode takes in: every raw format, odd sizes, padded strides, planes in any place, fields, frames too small or too large for the
 * model or the device. A picture is the same picture in any layout: the features say so. */
#include <math.h>

#include "harness.h"

/* Smooth in space and different for every @seed, so that subsampled chroma costs little. */
static GstBuffer *
make_smooth_frame (guint width, guint height, guint seed)
{
  GstVideoInfo info;
  GstBuffer *buffer;
  GstVideoFrame frame;

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_RGB, width, height);
  buffer = gst_buffer_new_allocate (NULL, info.size, NULL);
  /* Padding of rows is compared too. */
  gst_buffer_memset (buffer, 0, 0, info.size);
  ck_assert (gst_video_frame_map (&frame, &info, buffer, GST_MAP_WRITE));
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++)
      for (guint c = 0; c < 3; c++)
        GST_VIDEO_FRAME_COMP_DATA (&frame, c)[y * GST_VIDEO_FRAME_COMP_STRIDE (&frame, c) + 3 * x]
            = 40 + (x * (c + 1 + seed % 3) + y * (3 - c)) * 130 / (4 * (width + height)) + 10 * (seed % 7);
  gst_video_frame_unmap (&frame);
  GST_BUFFER_PTS (buffer) = 0;
  return buffer;
}

/* @buffer, a picture of @from, as a picture of @to. */
static GstBuffer *
convert (GstBuffer *buffer, const GstVideoInfo *from, GstVideoInfo *to)
{
  GstVideoConverter *converter = gst_video_converter_new (from, to, NULL);
  GstBuffer *out = gst_buffer_new_allocate (NULL, to->size, NULL);
  GstVideoFrame in_frame, out_frame;

  ck_assert_ptr_ne (converter, NULL);
  gst_buffer_memset (out, 0, 0, to->size);
  ck_assert (gst_video_frame_map (&in_frame, from, buffer, GST_MAP_READ));
  ck_assert (gst_video_frame_map (&out_frame, to, out, GST_MAP_WRITE));
  gst_video_converter_frame (converter, &in_frame, &out_frame);
  gst_video_frame_unmap (&in_frame);
  gst_video_frame_unmap (&out_frame);
  gst_video_converter_free (converter);
  GST_BUFFER_PTS (out) = GST_BUFFER_PTS (buffer);
  return out;
}

/* Largest difference over the largest magnitude of @a. */
static double
relative_difference (GBytes *a, GBytes *b)
{
  gsize size, other;
  const float *x = g_bytes_get_data (a, &size), *y = g_bytes_get_data (b, &other);
  double largest = 0, difference = 0;

  ck_assert_uint_eq (size, other);
  for (gsize i = 0; i < size / sizeof (float); i++) {
    largest = MAX (largest, ABS (x[i]));
    difference = MAX (difference, ABS (x[i] - y[i]));
  }
  return difference / largest;
}

/* Features of the picture that @buffer holds in the layout of @info, from a state of zeros. */
static GBytes *
analyse (GstHarness *harness, const GstVideoInfo *info, GstBuffer *buffer)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstBuffer) out = NULL;

  g_signal_emit_by_name (element, "reset-state");
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (info));
  out = gst_harness_push_and_pull (harness, buffer);
  ck_assert_ptr_ne (out, NULL);
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (out)->frames_since_reset, 1);
  return features_of (out);
}

/* Whether GStreamer can write @format at all (some tiled ones it only reads): the picture comes back from it. */
static gboolean
can_write (GstBuffer *picture, const GstVideoInfo *rgb, GstVideoInfo *format)
{
  g_autoptr (GstBuffer) there = convert (picture, rgb, format);
  GstVideoInfo again = *rgb;
  g_autoptr (GstBuffer) back = convert (there, format, &again);
  GstMapInfo a, b;
  int largest = 0;

  gst_buffer_map (picture, &a, GST_MAP_READ);
  gst_buffer_map (back, &b, GST_MAP_READ);
  for (gsize i = 0; i < MIN (a.size, b.size); i++)
    largest = MAX (largest, ABS (a.data[i] - b.data[i]));
  gst_buffer_unmap (picture, &a);
  gst_buffer_unmap (back, &b);
  return largest < 40;
}

/* How far the same picture's features may be off: anywhere where the format cannot hold the picture (few bits, no colour). Formats of more than
 * 8 bits come out half a level lower, because GStreamer shrinks them with more bits and then cuts those off. */
static double
tolerance_of (const GstVideoFormatInfo *format)
{
  if (!GST_VIDEO_FORMAT_INFO_HAS_PALETTE (format) && GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format) >= 3
      && GST_VIDEO_FORMAT_INFO_DEPTH (format, 0) >= 8 && GST_VIDEO_FORMAT_INFO_DEPTH (format, 1) >= 8)
    return GST_VIDEO_FORMAT_INFO_DEPTH (format, 0) > 8 ? 0.08 : 0.03;
  return G_MAXDOUBLE;
}

START_TEST (test_every_format)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL));
  const GValue *formats = gst_structure_get_value (gst_caps_get_structure (caps, 0), "format");
  const guint width = 47, height = 33, count = gst_value_list_get_size (formats);
  g_autoptr (GstBuffer) picture = make_smooth_frame (width, height, 1), other = make_smooth_frame (width, height, 5);
  g_autoptr (GBytes) expected = NULL, different = NULL;
  GstHarness *harness = start ("size=32", CAPS);
  GstVideoInfo rgb, info;
  guint exact = 0;

  ck_assert_uint_gt (count, 80);
  gst_video_info_set_format (&rgb, GST_VIDEO_FORMAT_RGB, width, height);
  rgb.fps_n = 25;
  expected = analyse (harness, &rgb, gst_buffer_ref (picture));
  /* That the measure tells pictures apart. */
  different = analyse (harness, &rgb, gst_buffer_ref (other));
  ck_assert (relative_difference (expected, different) > 0.1);

  for (guint i = 0; i < count; i++) {
    const GstVideoFormat format = gst_video_format_from_string (g_value_get_string (gst_value_list_get_value (formats, i)));
    double difference, tolerance = tolerance_of (gst_video_format_get_info (format));
    g_autoptr (GBytes) features = NULL;

    gst_video_info_set_format (&info, format, width, height);
    info.fps_n = 25;
    if (!can_write (picture, &rgb, &info))
      tolerance = G_MAXDOUBLE;
    features = analyse (harness, &info, convert (picture, &rgb, &info));
    difference = relative_difference (expected, features);
    ck_assert_msg (isfinite (difference) && difference <= tolerance, "%s: features differ by %g", gst_video_format_to_string (format),
        difference);
    exact += tolerance < 1;
  }
  ck_assert_uint_gt (exact, 60);
  gst_harness_teardown (harness);
}
END_TEST

/* Fills memory that the next allocations will get. */
static void
scribble (guint8 value)
{
  gpointer blocks[400];

  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    blocks[i] = memset (g_malloc (16 * (1 + i)), value + i, 16 * (1 + i));
  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    g_free (blocks[i]);
}

/* More than 8 bits a channel, growing in width and shrinking in height: GStreamer 1.22's converter reads memory that it never wrote. */
START_TEST (test_what_was_in_memory_makes_no_difference)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_P010_10LE, GST_VIDEO_FORMAT_Y444_16LE, GST_VIDEO_FORMAT_ABGR64_LE };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (GstBuffer) picture = make_smooth_frame (46, 34, i), deep = NULL;
    g_autoptr (GBytes) first = NULL;
    GstVideoInfo rgb, info;

    gst_video_info_set_format (&rgb, GST_VIDEO_FORMAT_RGB, 46, 34);
    gst_video_info_set_format (&info, formats[i], 46, 34);
    rgb.fps_n = info.fps_n = 25;
    deep = convert (picture, &rgb, &info);
    for (guint repeat = 0; repeat < 3; repeat++) {
      GstHarness *harness = start ("size=32", CAPS);
      g_autoptr (GBytes) features = NULL;

      scribble (80 * repeat);
      features = analyse (harness, &info, gst_buffer_ref (deep));
      if (first == NULL)
        first = g_bytes_ref (features);
      ck_assert_msg (g_bytes_equal (first, features), "%s", gst_video_format_to_string (formats[i]));
      gst_harness_teardown (harness);
    }
  }
}
END_TEST

/* Rows with padding, planes that lie apart and begin late, as cameras and decoders lay them out: the same bytes come out. */
START_TEST (test_strides_and_offsets)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_P010_10LE };
  GstHarness *harness = start ("size=32", CAPS);

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstVideoInfo rgb, info, padded;
    g_autoptr (GstBuffer) picture = make_smooth_frame (46, 34, i), plain = NULL;
    g_autoptr (GBytes) expected = NULL, features = NULL;
    GstVideoFrame from, to;
    GstBuffer *spread;
    gsize end = 20;

    gst_video_info_set_format (&rgb, GST_VIDEO_FORMAT_RGB, 46, 34);
    gst_video_info_set_format (&info, formats[i], 46, 34);
    rgb.fps_n = info.fps_n = 25;
    padded = info;
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES (&info); p++) {
      padded.stride[p] = info.stride[p] + 52 + 4 * p;
      padded.offset[p] = end;
      end += (gsize) padded.stride[p] * 34 + 100;
    }
    padded.size = end;
    plain = convert (picture, &rgb, &info);
    spread = gst_buffer_new_allocate (NULL, end, NULL);
    gst_buffer_memset (spread, 0, 0xee, end);
    gst_buffer_add_video_meta_full (spread, GST_VIDEO_FRAME_FLAG_NONE, formats[i], 46, 34, GST_VIDEO_INFO_N_PLANES (&info), padded.offset,
        padded.stride);
    ck_assert (gst_video_frame_map (&from, &info, plain, GST_MAP_READ));
    ck_assert (gst_video_frame_map (&to, &info, spread, GST_MAP_WRITE));
    ck_assert_int_eq (GST_VIDEO_FRAME_PLANE_STRIDE (&to, 0), padded.stride[0]);
    ck_assert (gst_video_frame_copy (&to, &from));
    gst_video_frame_unmap (&from);
    gst_video_frame_unmap (&to);
    expected = analyse (harness, &info, gst_buffer_ref (plain));
    features = analyse (harness, &info, spread);
    ck_assert_msg (g_bytes_equal (expected, features), "%s", gst_video_format_to_string (formats[i]));
  }
  gst_harness_teardown (harness);
}
END_TEST

/* Interlaced material: a frame of both fields is analysed as the picture it is. */
START_TEST (test_interlaced)
{
  static const char *const modes[] = { "interleaved", "mixed" };

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_autofree char *caps = g_strdup_printf ("video/x-raw,format=I420,width=64,height=48,framerate=25/1,interlace-mode=%s", modes[i]);
    GstHarness *harness = start ("", caps);
    GstBuffer *frame = make_frame (64 * 48 * 3 / 2, 5, 0);
    g_autoptr (GstBuffer) out = NULL;
    const GstRvmFeatureMeta *meta;

    GST_BUFFER_FLAG_SET (frame, GST_VIDEO_BUFFER_FLAG_INTERLACED);
    GST_BUFFER_FLAG_SET (frame, GST_VIDEO_BUFFER_FLAG_TFF);
    out = gst_harness_push_and_pull (harness, frame);
    meta = gst_rvm_buffer_get_feature_meta (out);
    ck_assert_ptr_ne (meta, NULL);
    ck_assert_uint_eq (meta->rows, 3);
    /* The picture goes on as it came: flags too. */
    ck_assert (GST_BUFFER_FLAG_IS_SET (out, GST_VIDEO_BUFFER_FLAG_TFF));
    gst_harness_teardown (harness);
  }
}
END_TEST

/* The colour matrix and range of the caps are respected: the same bytes mean another picture. */
START_TEST (test_colorimetry)
{
  static const char *const colours[] = { "bt601", "bt709", "1:4:0:0" };
  g_autoptr (GBytes) first = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (colours); i++) {
    g_autofree char *caps = g_strdup_printf ("video/x-raw,format=I420,width=64,height=48,framerate=25/1,colorimetry=%s", colours[i]);
    GstHarness *harness = start ("", caps);
    g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, make_frame (64 * 48 * 3 / 2, 5, 0));
    g_autoptr (GBytes) features = features_of (out);

    if (first == NULL)
      first = g_steal_pointer (&features);
    else
      ck_assert (relative_difference (first, features) > 1e-4);
    gst_harness_teardown (harness);
  }
}
END_TEST

/* A frame in these caps is refused with a message that has both parts. */
static void
expect_refusal (const char *settings, const char *caps, gsize size, const char *part, const char *other)
{
  GstHarness *harness = start (settings, CAPS);
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  gst_harness_set_src_caps_str (harness, caps);
  ck_assert_int_ne (gst_harness_push (harness, make_frame (size, 1, 0)), GST_FLOW_OK);
  expect_message (bus, GST_MESSAGE_ERROR, part, other);
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}

START_TEST (test_frames_that_cannot_be_analysed)
{
  const char *small = "video/x-raw,format=RGB,width=8,height=48,framerate=25/1";

  expect_refusal ("", small, 8 * 48 * 3, "8 x 48", "patch");
  expect_refusal ("", "video/x-raw,format=GRAY8,width=64,height=15,framerate=25/1", 64 * 15, "64 x 15", "16 x 16");
  /* More tokens than indices have room for, before anything of that size is allocated. */
  expect_refusal ("width=16384 height=16384", CAPS, 64 * 48 * 3, "16384 x 16384", "too large");
  /* A buffer that is shorter than its caps say. */
  expect_refusal ("", CAPS, 64 * 48 * 3 - 1000, "does not hold a picture", "0:00:00");
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_every_format);
  tcase_add_test (tests, test_what_was_in_memory_makes_no_difference);
  tcase_add_test (tests, test_strides_and_offsets);
  tcase_add_test (tests, test_interlaced);
  tcase_add_test (tests, test_colorimetry);
  tcase_add_test (tests, test_frames_that_cannot_be_analysed);
  return run_cases ("rvmencode's input", tests);
}
