/* What rvmoverlay draws of tracks: lines that suit the size of the picture, and masks with contours. */
#include "overlay_harness.h"

static gboolean
is_coloured (const guint8 *pixel)
{
  return MAX (MAX (pixel[0], pixel[1]), pixel[2]) > 80;
}

/* How many pixels of the line through (@x, @y) are coloured, and where they begin. Along x, or along y with @down. */
static guint
measure (const guint8 *data, guint width, guint height, guint x, guint y, gboolean down, guint reach, guint *begin)
{
  guint n = 0;

  for (guint i = 0; i < 2 * reach; i++) {
    const guint column = down ? x : x - reach + i, row = down ? y - reach + i : y;

    if (column < width && row < height && is_coloured (data + ((gsize) row * width + column) * 3)) {
      if (n++ == 0)
        *begin = down ? row : column;
    }
  }
  return n;
}

/* A box in a picture of @height lines: its left edge is where it should be and as wide as the size asks for; the trail of the centre
 * goes from the first place to the last one that was seen. */
static void
check_box (guint height)
{
  const guint width = height * 4 / 3 / 4 * 4;
  g_autofree char *caps = g_strdup_printf ("video/x-raw,format=RGB,width=%u,height=%u,framerate=25/1", width, height);
  GstHarness *harness = start ("mode=none", caps);
  const double line = 1.5 * MAX (height / 360.0, 0.75);

  for (guint i = 0; i < 3; i++) {
    GstRvmTrack track = {.id = 1,.kind = GST_RVM_TRACK_BOX,.x = width * (0.2 + 0.1 * i),.y = height * 0.25,
      .width = width * 0.25,.height = height * 0.5,.confidence = 1,.visible = i < 2
    };
    GstBuffer *buffer = make_frame (caps, i);
    guint begin = 0, n;
    GstMapInfo map;

    gst_rvm_buffer_add_track_meta (buffer, &track, 1);
    buffer = gst_harness_push_and_pull (harness, buffer);
    gst_buffer_map (buffer, &map, GST_MAP_READ);
    n = measure (map.data, width, height, track.x, height * 0.4, FALSE, 4 * line, &begin);
    if (track.visible) {
      assert_near (n, line, 1.01);
      assert_near (begin + n / 2.0, track.x, 1.01);
    } else {
      ck_assert_uint_eq (n, 0);
    }
    n = measure (map.data, width, height, width * 0.4, height * 0.5, TRUE, 4 * line, &begin);
    if (i == 0) {
      ck_assert_uint_eq (n, 0);
    } else {
      assert_near (n, line, 1.01);
      assert_near (begin + n / 2.0, height * 0.5, 1.01);
    }
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
  }
  gst_harness_teardown (harness);
}

START_TEST (test_lines_suit_the_size)
{
  check_box (240);
  check_box (720);
  check_box (2160);
}
END_TEST

/* Two discs as masks of 80 x 60 pixels on a frame twice as large: filled inside, nothing outside, the contour on the circle. */
START_TEST (test_masks_with_contours)
{
  GstHarness *harness = start ("mode=none", RGB_CAPS);
  const guint width = WIDTH / 2, height = HEIGHT / 2;
  g_autoptr (GstBuffer) mask = gst_buffer_new_allocate (NULL, width * height, NULL);
  GstRvmTrack tracks[] = {
    {.id = 1, .kind = GST_RVM_TRACK_MASK, .x = 20, .y = 40, .width = 40, .height = 40, .mask_value = 7, .visible = TRUE},
    {.id = 2, .kind = GST_RVM_TRACK_MASK, .x = 100, .y = 40, .width = 40, .height = 40, .mask_value = 9, .visible = FALSE}
  };
  GstBuffer *buffer = make_frame (RGB_CAPS, 0);
  guint8 *filled;
  GstMapInfo map;
  guint dark = 0;

  gst_buffer_map (mask, &map, GST_MAP_WRITE);
  for (guint i = 0; i < width * height; i++) {
    const double x = i % width + 0.5, y = i / width + 0.5;
    map.data[i] = hypot (x - 20, y - 30) < 10 ? 7 : hypot (x - 60, y - 30) < 10 ? 9 : 0;
  }
  gst_buffer_unmap (mask, &map);
  gst_buffer_add_video_meta (mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, width, height);
  ck_assert (gst_rvm_track_meta_set_mask (gst_rvm_buffer_add_track_meta (buffer, tracks, 2), mask));
  /* On white, so that the rim can be told from the fill. */
  gst_buffer_memset (buffer, 0, 255, gst_buffer_get_size (buffer));
  buffer = gst_harness_push_and_pull (harness, buffer);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  filled = map.data + (60 * WIDTH + 40) * 3;
  /* 0.4 of a colour whose channels are a quarter and more, over white. */
  ck_assert_uint_gt (filled[0], 255 * 0.65);
  ck_assert_uint_lt (MIN (MIN (filled[0], filled[1]), filled[2]), 255 * 0.85);
  for (guint y = 0; y < HEIGHT; y++)
    for (guint x = 0; x < WIDTH; x++) {
      const guint8 *pixel = map.data + (y * WIDTH + x) * 3;
      const double radius = hypot (x + 0.5 - 40, y + 0.5 - 60);
      /* The number is above the mask. */
      if (radius > 24 && !(x < 40 && y < 42))
        ck_assert_msg (pixel[0] == 255 && pixel[1] == 255 && pixel[2] == 255, "%u, %u is drawn on", x, y);
      if (radius < 15)
        ck_assert_msg (memcmp (pixel, filled, 3) == 0, "%u, %u is not as the middle", x, y);
      dark += fabs (radius - 20) < 3 && pixel[0] + pixel[1] + pixel[2] < 2 * 255;
    }
  /* A circle of 126 pixels, 1.5 or more of them wide. */
  ck_assert_uint_gt (dark, 180);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
  gst_harness_teardown (harness);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_lines_suit_the_size);
  tcase_add_test (tests, test_masks_with_contours);
  return run_cases ("tracks of rvmoverlay", tests);
}
