/* Pictures as they are meant to be seen: the eight orientations against videoflip, places there and back, pixels that are not square, margins,
 * what tags say, what becomes of pictures that are made smaller, and which pictures are still. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <math.h>
#include <string.h>

#include "video/analysis.h"
#include "video/conversion.h"
#include "video/orientation.h"
#include "video/orientation_tags.h"
#include "video/stillness.h"

#define ORIENTATIONS 8
#define assert_near(a, b, tolerance) \
  ck_assert_msg (fabs ((double) (a) - (double) (b)) <= (tolerance), "%s is %g, expected %g", #a, (double) (a), (double) (b))

/* Noise that differs in every pixel and channel. */
static GstBuffer *
make_noise (gsize size, guint seed)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < size; i++)
    map.data[i] = g_rand_int (rand);
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = 0;
  return buffer;
}

/* What videoflip makes of an RGB picture of @width x @height, whose rows have no padding. */
static GstBuffer *
flip (GstBuffer *buffer, guint width, guint height, guint method)
{
  g_autofree char *launch = g_strdup_printf ("videoflip video-direction=%u", method);
  g_autofree char *caps = g_strdup_printf ("video/x-raw,format=RGB,width=%u,height=%u,framerate=25/1", width, height);
  GstHarness *harness = gst_harness_new_parse (launch);
  GstBuffer *out;

  gst_harness_set_src_caps_str (harness, caps);
  out = gst_harness_push_and_pull (harness, gst_buffer_ref (buffer));
  ck_assert_ptr_ne (out, NULL);
  gst_harness_teardown (harness);
  return out;
}

START_TEST (test_turns_are_those_of_videoflip)
{
  /* Rows of multiples of 4 bytes both ways, so that none have padding. */
  const guint width = 8, height = 12;
  g_autoptr (GstBuffer) stored = make_noise (width * height * 3, 1);
  guint8 turned[8 * 12 * 3], back[8 * 12 * 3];
  GstMapInfo map;

  gst_buffer_map (stored, &map, GST_MAP_READ);
  for (guint method = 0; method < ORIENTATIONS; method++) {
    const gboolean swap = rvm_orientation_swaps (method);
    const guint across = swap ? height : width, along = swap ? width : height;
    g_autoptr (GstBuffer) expected = flip (stored, width, height, method);

    ck_assert (rvm_orientation_is_valid (method));
    rvm_orientation_turn_pixels (method, map.data, width * 3, width, height, 3, turned, across * 3);
    ck_assert_msg (gst_buffer_memcmp (expected, 0, turned, sizeof turned) == 0, "%s differs from videoflip",
        rvm_orientation_to_string (method));
    rvm_orientation_turn_pixels (rvm_orientation_invert (method), turned, across * 3, across, along, 3, back, width * 3);
    ck_assert_msg (memcmp (back, map.data, sizeof back) == 0, "%s is not undone", rvm_orientation_to_string (method));
    /* The middle of each pixel goes where the pixel goes. */
    for (guint y = 0; y < height; y++)
      for (guint x = 0; x < width; x++) {
        double to_x = x + 0.5, to_y = y + 0.5;

        rvm_orientation_turn_point (method, across, along, &to_x, &to_y);
        ck_assert_int_eq (memcmp (turned + ((guint) to_y * across + (guint) to_x) * 3, map.data + (y * width + x) * 3, 3), 0);
      }
  }
  gst_buffer_unmap (stored, &map);
  ck_assert (!rvm_orientation_is_valid (GST_VIDEO_ORIENTATION_AUTO) && !rvm_orientation_is_valid (GST_VIDEO_ORIENTATION_CUSTOM));
}
END_TEST

/* GStreamer's own nicks, which is what properties and files have. */
START_TEST (test_names)
{
  GEnumClass *klass = g_type_class_ref (GST_TYPE_VIDEO_ORIENTATION_METHOD);

  for (guint method = 0; method < ORIENTATIONS; method++)
    ck_assert_str_eq (rvm_orientation_to_string (method), g_enum_get_value (klass, method)->value_nick);
  g_type_class_unref (klass);
}
END_TEST

static RvmView
make_view (guint width, guint height, guint par_n, guint par_d, guint orientation)
{
  RvmView view = { .visible = { .w = width, .h = height }, .orientation = orientation };

  gst_video_info_set_format (&view.info, GST_VIDEO_FORMAT_RGB, width, height);
  view.info.par_n = par_n;
  view.info.par_d = par_d;
  return view;
}

START_TEST (test_square_pixels)
{
  static const struct {
    guint width, height, n, d, orientation, side, to_width, to_height;
  } cases[] = {
    { 256, 256, 2, 1, GST_VIDEO_ORIENTATION_IDENTITY, 0, 512, 256 },
    { 256, 256, 2, 1, GST_VIDEO_ORIENTATION_IDENTITY, 128, 256, 128 },
    { 720, 576, 16, 15, GST_VIDEO_ORIENTATION_IDENTITY, 0, 768, 576 },
    { 720, 576, 16, 15, GST_VIDEO_ORIENTATION_180, 288, 384, 288 },
    /* Turned by a quarter, a pixel is as high as it was wide: the width becomes 576 * 15 / 16. */
    { 720, 576, 16, 15, GST_VIDEO_ORIENTATION_90R, 0, 540, 720 },
    { 720, 576, 16, 15, GST_VIDEO_ORIENTATION_UL_LR, 270, 270, 360 },
    /* Unknown is square. */
    { 320, 240, 0, 1, GST_VIDEO_ORIENTATION_IDENTITY, 0, 320, 240 },
    { 320, 240, 1, 0, GST_VIDEO_ORIENTATION_90L, 120, 120, 160 },
    { 1000, 10, 1, 200, GST_VIDEO_ORIENTATION_IDENTITY, 0, 5, 10 },
    { 1, 10, 1, 200, GST_VIDEO_ORIENTATION_IDENTITY, 0, 1, 10 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    const RvmView view = make_view (cases[i].width, cases[i].height, cases[i].n, cases[i].d, cases[i].orientation);
    guint width, height;

    ck_assert (rvm_view_get_square_size (&view, cases[i].side, &width, &height));
    ck_assert_msg (width == cases[i].to_width && height == cases[i].to_height, "case %u: %u x %u", i, width, height);
  }
  /* Nothing is asked of memory for such a shape. */
  {
    const RvmView view = make_view (64, 64, G_MAXINT, 1, GST_VIDEO_ORIENTATION_IDENTITY);
    g_autoptr (GError) error = NULL;
    guint width, height;

    ck_assert (!rvm_view_get_square_size (&view, 0, &width, &height) && !rvm_view_get_square_size (&view, 64, &width, &height));
    ck_assert (!rvm_analysis_choose_size (&view, 16, 64, 0, 0, &width, &height, &error));
    ck_assert_msg (strstr (error->message, "2147483647/1") != NULL, "%s", error->message);
    ck_assert (rvm_analysis_choose_size (&view, 16, 64, 32, 48, &width, &height, NULL));
    ck_assert (width == 32 && height == 48);
  }
}
END_TEST

START_TEST (test_places_there_and_back)
{
  for (guint method = 0; method < ORIENTATIONS; method++) {
    RvmView view = make_view (100, 60, 1, 1, method);
    double x = 40, y = 25, width = 8, height = 5, left, top, right, bottom;
    GstVideoRectangle box;
    guint across, along;

    view.visible = (GstVideoRectangle){ 30, 20, 50, 30 };
    rvm_view_get_size (&view, &across, &along);
    ck_assert (rvm_orientation_swaps (method) ? across == 30 && along == 50 : across == 50 && along == 30);
    left = x - 30, top = y - 20, right = left + width, bottom = top + height;
    rvm_orientation_turn_point (method, across, along, &left, &top);
    rvm_orientation_turn_point (method, across, along, &right, &bottom);
    rvm_view_to_upright (&view, &x, &y, &width, &height);
    ck_assert (x == MIN (left, right) && y == MIN (top, bottom) && width == ABS (right - left) && height == ABS (bottom - top));
    rvm_view_to_stored (&view, &x, &y, &width, &height);
    ck_assert_msg (x == 40 && y == 25 && width == 8 && height == 5, "%s: %g,%g %g x %g", rvm_orientation_to_string (method), x, y, width, height);
    /* More than the whole is the whole. */
    box = rvm_view_get_stored_box (&view, -10, -10, 200, 200);
    ck_assert (box.x == 30 && box.y == 20 && box.w == 50 && box.h == 30);
  }
}
END_TEST

static GstVideoInfo
make_info (const char *caps)
{
  g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
  GstVideoInfo info;

  ck_assert (gst_video_info_from_caps (&info, parsed));
  return info;
}

static void
expect_refusal (const GstVideoInfo *info, GstBuffer *buffer, guint orientation, const char *part, const char *other)
{
  g_autoptr (GError) error = NULL;
  RvmView view;

  ck_assert (!rvm_view_init (&view, info, buffer, orientation, &error));
  ck_assert (error->domain == GST_STREAM_ERROR);
  ck_assert_msg (strstr (error->message, part) && strstr (error->message, other), "'%s' does not name '%s' and '%s'", error->message, part, other);
}

START_TEST (test_margins)
{
  const GstVideoInfo info = make_info ("video/x-raw,format=RGB,width=32,height=24,framerate=25/1");
  GstVideoInfo whole = make_info ("video/x-raw,format=RGB,width=64,height=48,framerate=25/1");
  g_autoptr (GstBuffer) buffer = make_noise (64 * 48 * 3, 1);
  GstVideoCropMeta *crop;
  RvmView view;

  /* The caps say what is shown, the video meta what is there. */
  gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, 64, 48);
  crop = gst_buffer_add_video_crop_meta (buffer);
  crop->x = 20;
  crop->y = 10;
  crop->width = 32;
  crop->height = 24;
  ck_assert (rvm_view_init (&view, &info, buffer, 0, NULL));
  ck_assert (view.info.width == 64 && view.info.height == 48);
  ck_assert (view.visible.x == 20 && view.visible.y == 10 && view.visible.w == 32 && view.visible.h == 24);
  /* Beyond the picture, whatever the sum overflows to. */
  crop->x = 33;
  expect_refusal (&info, buffer, 0, "32 x 24 pixels from 33,10", "64 x 48");
  crop->x = G_MAXUINT - 10;
  expect_refusal (&info, buffer, 0, "crop", "64 x 48");
  crop->x = 0;
  crop->width = 0;
  expect_refusal (&info, buffer, 0, "0 x 24", "64 x 48");
  /* Memory that is larger than the caps, without margins: the picture is where it begins. */
  gst_buffer_remove_meta (buffer, (GstMeta *) crop);
  ck_assert (rvm_view_init (&view, &info, buffer, 0, NULL));
  ck_assert (view.info.width == 32 && view.visible.x == 0 && view.visible.w == 32);
  whole.width = 65;
  expect_refusal (&whole, buffer, 0, "does not hold a picture", "64 x 48");
  whole = make_info ("video/x-raw,format=BGR,width=64,height=48,framerate=25/1");
  expect_refusal (&whole, buffer, 0, "RGB", "BGR");
  expect_refusal (&info, buffer, GST_VIDEO_ORIENTATION_AUTO, "8", "none of the eight");
  whole = make_info ("video/x-raw,format=RGB,width=64,height=48,framerate=25/1,interlace-mode=fields");
  expect_refusal (&whole, buffer, 0, "interlace-mode=fields", "deinterlace");
}
END_TEST

/* Converts the part (nullable) of @buffer. */
static guint8 *
convert (const GstVideoInfo *info, const GstVideoRectangle *part, GstBuffer *buffer, guint width, guint height)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmConversion) conversion = rvm_conversion_new (info, part, GST_VIDEO_FORMAT_RGB, width, height, &error);
  guint8 *pixels;

  ck_assert_msg (conversion != NULL, "%s", error ? error->message : "");
  ck_assert_uint_eq (rvm_conversion_get_stride (conversion), width * 3);
  ck_assert_uint_eq (rvm_conversion_get_size (conversion), width * height * 3);
  pixels = g_malloc (width * height * 3);
  ck_assert_msg (rvm_conversion_run (conversion, buffer, pixels, &error), "%s", error ? error->message : "");
  return pixels;
}

/* A part of a picture is that part, in every layout of planes; from more than 8 bits, too, growing one way and shrinking the other. */
START_TEST (test_parts)
{
  static const struct {
    const char *format;
    guint width, height;
  } cases[] = { { "RGB", 16, 12 }, { "I420", 16, 12 }, { "NV12", 40, 12 }, { "RGB", 40, 30 }, { "P010_10LE", 40, 12 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *caps = g_strdup_printf ("video/x-raw,format=%s,width=64,height=48,framerate=25/1", cases[i].format);
    g_autofree char *part_caps = g_strdup_printf ("video/x-raw,format=%s,width=32,height=24,framerate=25/1", cases[i].format);
    const GstVideoInfo info = make_info (caps), part_info = make_info (part_caps);
    const GstVideoRectangle part = { 20, 10, 32, 24 };
    g_autoptr (GstBuffer) whole = make_noise (info.size, i);
    GstHarness *harness = gst_harness_new_parse ("videocrop left=20 top=10 right=12 bottom=14");
    g_autoptr (GstBuffer) cut = NULL;
    g_autofree guint8 *expected = NULL, *pixels = NULL;

    if (strcmp (cases[i].format, "P010_10LE") != 0) {
      gst_harness_set_src_caps_str (harness, caps);
      cut = gst_harness_push_and_pull (harness, gst_buffer_ref (whole));
      expected = convert (&part_info, NULL, cut, cases[i].width, cases[i].height);
    } else {
      /* The same, whatever was in memory. */
      g_free (memset (g_malloc (4096), 0x55, 4096));
      expected = convert (&info, &part, whole, cases[i].width, cases[i].height);
      g_free (memset (g_malloc (4096), 0xaa, 4096));
    }
    pixels = convert (&info, &part, whole, cases[i].width, cases[i].height);
    for (guint y = 0; y < cases[i].height; y++)
      for (guint x = 0; x < cases[i].width; x++) {
        const gboolean at_border = x < 3 || y < 3 || x + 3 >= cases[i].width || y + 3 >= cases[i].height;

        /* Halved chroma looks beyond the border there. */
        if (!at_border || strcmp (cases[i].format, "RGB") == 0 || strcmp (cases[i].format, "P010_10LE") == 0)
          for (guint c = 0; c < 3; c++) {
            const guint k = (y * cases[i].width + x) * 3 + c;
            ck_assert_msg (pixels[k] == expected[k], "%s: %u at %u,%u is %u, expected %u", cases[i].format, c, x, y, pixels[k], expected[k]);
          }
      }
    gst_harness_teardown (harness);
  }
}
END_TEST

/* Both fields of a frame are one picture: shrunk, it is not made of lines of two moments. And the flags of a buffer that the caps do not announce do
 * no harm. */
START_TEST (test_fields_are_one_picture)
{
  const GstVideoInfo plain = make_info ("video/x-raw,format=I420,width=64,height=48,framerate=25/1");
  const GstVideoInfo fields = make_info ("video/x-raw,format=I420,width=64,height=48,framerate=25/1,interlace-mode=interleaved");
  g_autoptr (GstBuffer) progressive = make_noise (plain.size, 3), interlaced = gst_buffer_copy_deep (progressive);
  g_autofree guint8 *expected = convert (&plain, NULL, progressive, 32, 16), *first = NULL, *second = NULL;

  GST_BUFFER_FLAG_SET (interlaced, GST_VIDEO_BUFFER_FLAG_INTERLACED);
  first = convert (&fields, NULL, interlaced, 32, 16);
  gst_buffer_add_video_meta (interlaced, GST_VIDEO_FRAME_FLAG_INTERLACED, GST_VIDEO_FORMAT_I420, 64, 48);
  second = convert (&plain, NULL, interlaced, 32, 16);
  ck_assert_int_eq (memcmp (expected, first, 32 * 16 * 3), 0);
  ck_assert_int_eq (memcmp (expected, second, 32 * 16 * 3), 0);
}
END_TEST

/* The picture of a view is what videoflip, then a plain view, gives: to the level where it is only turned, nearly where it is made smaller. */
START_TEST (test_analysis_is_upright)
{
  const guint width = 48, height = 32;
  g_autoptr (GstBuffer) stored = make_noise (width * height * 3, 5);

  for (guint method = 0; method < ORIENTATIONS; method++)
    for (guint shrink = 1; shrink <= 2; shrink++) {
      const gboolean swap = rvm_orientation_swaps (method);
      const guint across = (swap ? height : width) / shrink, along = (swap ? width : height) / shrink;
      g_autoptr (GstBuffer) turned = flip (stored, width, height, method);
      const RvmView view = make_view (width, height, 1, 1, method);
      const RvmView upright = make_view (swap ? height : width, swap ? width : height, 1, 1, GST_VIDEO_ORIENTATION_IDENTITY);
      g_autoptr (RvmAnalysis) analysis = rvm_analysis_new (&view, GST_VIDEO_FORMAT_BGRA, across, along, NULL);
      g_autoptr (RvmAnalysis) plain = rvm_analysis_new (&upright, GST_VIDEO_FORMAT_BGRA, across, along, NULL);
      const guint8 *expected = rvm_analysis_convert (plain, turned, NULL), *pixels = rvm_analysis_convert (analysis, stored, NULL);

      ck_assert_uint_eq (rvm_analysis_get_stride (analysis), across * 4);
      for (guint i = 0; i < across * along * 4; i++)
        ck_assert_msg (ABS (pixels[i] - expected[i]) <= (shrink == 1 ? 0 : 1), "%s / %u: byte %u is %u, expected %u",
            rvm_orientation_to_string (method), shrink, i, pixels[i], expected[i]);
    }
}
END_TEST

static void
note_tag (RvmOrientationTags *tags, GstTagScope scope, const char *orientation)
{
  GstTagList *list = orientation ? gst_tag_list_new (GST_TAG_IMAGE_ORIENTATION, orientation, NULL) : gst_tag_list_new (GST_TAG_TITLE, "a title", NULL);
  g_autoptr (GstEvent) event = NULL;

  gst_tag_list_set_scope (list, scope);
  event = gst_event_new_tag (list);
  rvm_orientation_tags_note (tags, NULL, event);
}

static void
note_stream (RvmOrientationTags *tags, const char *id)
{
  g_autoptr (GstEvent) event = gst_event_new_stream_start (id);

  rvm_orientation_tags_note (tags, NULL, event);
}

START_TEST (test_tags)
{
  static const char *const all[] = { "rotate-0", "rotate-90", "rotate-180", "rotate-270", "flip-rotate-0", "flip-rotate-180", "flip-rotate-270",
    "flip-rotate-90" };
  RvmOrientationTags tags = { 0 };

  note_stream (&tags, "a");
  ck_assert_int_eq (rvm_orientation_tags_get (&tags), GST_VIDEO_ORIENTATION_IDENTITY);
  for (guint method = 0; method < ORIENTATIONS; method++) {
    note_tag (&tags, GST_TAG_SCOPE_STREAM, all[method]);
    ck_assert_int_eq (rvm_orientation_tags_get (&tags), method);
  }
  /* The stream's word counts more than its container's, which is kept for when the stream says nothing. */
  note_tag (&tags, GST_TAG_SCOPE_GLOBAL, "rotate-180");
  ck_assert_int_eq (rvm_orientation_tags_get (&tags), GST_VIDEO_ORIENTATION_UR_LL);
  note_tag (&tags, GST_TAG_SCOPE_STREAM, NULL);
  ck_assert_int_eq (rvm_orientation_tags_get (&tags), GST_VIDEO_ORIENTATION_180);
  note_stream (&tags, "a");
  ck_assert_int_eq (rvm_orientation_tags_get (&tags), GST_VIDEO_ORIENTATION_180);
  note_stream (&tags, "b");
  ck_assert_int_eq (rvm_orientation_tags_get (&tags), GST_VIDEO_ORIENTATION_IDENTITY);
  note_tag (&tags, GST_TAG_SCOPE_GLOBAL, "rotate-90");
  note_tag (&tags, GST_TAG_SCOPE_GLOBAL, NULL);
  ck_assert_int_eq (rvm_orientation_tags_get (&tags), GST_VIDEO_ORIENTATION_IDENTITY);
  rvm_orientation_tags_clear (&tags);
}
END_TEST

/* The largest change of a block's mean, by the definition. */
static double
measure_change (const guint8 *a, const guint8 *b, guint width, guint height)
{
  double most = 0;

  for (guint y = 0; y < height; y += 4)
    for (guint x = 0; x < width; x += 4)
      for (guint c = 0; c < 3; c++) {
        double difference = 0;
        guint n = 0;

        for (guint i = y; i < MIN (y + 4, height); i++)
          for (guint j = x; j < MIN (x + 4, width); j++, n++)
            difference += (double) a[(i * width + j) * 3 + c] - b[(i * width + j) * 3 + c];
        most = MAX (most, fabs (difference) / n);
      }
  return most;
}

START_TEST (test_stillness)
{
  static const guint sizes[][2] = { { 4, 4 }, { 16, 32 }, { 7, 9 }, { 1, 1 }, { 30, 14 }, { 64, 48 } };
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);

  for (guint s = 0; s < G_N_ELEMENTS (sizes); s++) {
    const guint width = sizes[s][0], height = sizes[s][1], bytes = width * height * 3;
    g_autoptr (RvmStillness) stillness = rvm_stillness_new (width, height);
    g_autofree guint8 *kept = g_malloc (bytes), *now = g_malloc (bytes);

    for (guint i = 0; i < bytes; i++)
      kept[i] = g_rand_int (rand);
    ck_assert (rvm_stillness_measure (stillness, kept, width * 3) == INFINITY);
    rvm_stillness_keep (stillness);
    ck_assert (rvm_stillness_measure (stillness, kept, width * 3) == 0);
    /* One pixel in any place, and noise everywhere; the same picture is kept all the time. */
    for (guint round = 0; round < 40; round++) {
      memcpy (now, kept, bytes);
      if (round % 2)
        now[g_rand_int_range (rand, 0, bytes)] ^= 1 << g_rand_int_range (rand, 0, 8);
      else
        for (guint i = 0; i < bytes; i++)
          now[i] = CLAMP (kept[i] + g_rand_int_range (rand, -5, 6), 0, 255);
      assert_near (rvm_stillness_measure (stillness, now, width * 3), measure_change (kept, now, width, height), 1e-9);
    }
    rvm_stillness_keep (stillness);
    assert_near (rvm_stillness_measure (stillness, kept, width * 3), measure_change (kept, now, width, height), 1e-9);
  }
}
END_TEST

int
main (int argc, char **argv)
{
  Suite *suite = suite_create ("pictures");
  TCase *tests = tcase_create ("all");
  SRunner *runner;
  int failed;

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_turns_are_those_of_videoflip);
  tcase_add_test (tests, test_names);
  tcase_add_test (tests, test_square_pixels);
  tcase_add_test (tests, test_places_there_and_back);
  tcase_add_test (tests, test_margins);
  tcase_add_test (tests, test_parts);
  tcase_add_test (tests, test_fields_are_one_picture);
  tcase_add_test (tests, test_analysis_is_upright);
  tcase_add_test (tests, test_tags);
  tcase_add_test (tests, test_stillness);
  runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed != 0;
}
