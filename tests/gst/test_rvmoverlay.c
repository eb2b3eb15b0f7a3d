/* rvmoverlay on features that are made here, with principal components, cosines and positions that are known, so that colours can
 * be worked out by hand. */
#include "overlay_harness.h"

#define ROWS 12
#define COLUMNS 16
#define CELLS (ROWS * COLUMNS)
#define DIM 8
#define CELL 10 /* pixels of a patch */

static const double bottom[3] = { 0.27, 0.0, 0.33 }, top[3] = { 0.99, 0.91, 0.14 };

static GstRvmFeatureMeta *
attach_features (GstBuffer *buffer, const float *values)
{
  g_autoptr (GBytes) data = g_bytes_new (values, CELLS * DIM * sizeof (float));
  GstRvmFeatureMeta *meta = gst_rvm_buffer_add_feature_meta (buffer, GST_RVM_FEATURE_PATCHES, ROWS, COLUMNS, DIM, data, "made here");

  meta->generation = 1;
  return meta;
}

/* Three waves over the grid: no mean, no correlation, a variance of 1/2. */
static double
wave (guint cell, guint which)
{
  const double x = 2 * G_PI * (cell % COLUMNS) / COLUMNS, y = 2 * G_PI * (cell / COLUMNS) / ROWS;

  return which == 0 ? cos (x) : which == 1 ? sin (x) : cos (y);
}

/* The waves along the axes 5, 2 and 7 of feature space, @strength each, away from the origin: these axes are the principal
 * components. */
static void
fill_waves (float *values, const double strength[3])
{
  const guint axes[3] = { 5, 2, 7 };

  for (guint cell = 0; cell < CELLS; cell++) {
    for (guint d = 0; d < DIM; d++)
      values[cell * DIM + d] = d * 0.25 - 1;
    for (guint which = 0; which < 3; which++)
      values[cell * DIM + axes[which]] += strength[which] * wave (cell, which);
  }
}

/* The middle of a patch in an RGB frame. */
static const guint8 *
pixel_of (const GstMapInfo *map, guint cell)
{
  return map->data + ((cell / COLUMNS * CELL + CELL / 2) * WIDTH + cell % COLUMNS * CELL + CELL / 2) * 3;
}

static void
assert_colour (const guint8 *pixel, const double expected[3], double tolerance)
{
  for (guint c = 0; c < 3; c++)
    ck_assert_msg (fabs (pixel[c] - 255 * CLAMP (expected[c], 0, 1)) <= tolerance, "%u %u %u, expected %g %g %g", pixel[0],
        pixel[1], pixel[2], 255 * expected[0], 255 * expected[1], 255 * expected[2]);
}

/* Pushes waves of @now and expects colours as of waves of @fitted. The middle of a patch is between four pixels, so that the
 * interpolated colour differs a little. */
static void
check_waves (GstHarness *harness, guint index, const double now[3], const double fitted[3])
{
  float values[CELLS * DIM];
  GstBuffer *buffer = make_frame (RGB_CAPS, index);
  GstMapInfo map;

  fill_waves (values, now);
  attach_features (buffer, values);
  buffer = gst_harness_push_and_pull (harness, buffer);
  ck_assert_ptr_ne (buffer, NULL);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  for (guint cell = 0; cell < CELLS; cell++) {
    double expected[3];
    for (guint c = 0; c < 3; c++)
      expected[c] = CLAMP (0.5 + now[c] * wave (cell, c) / (4 * fitted[c] * sqrt (0.5)), 0, 1);
    assert_colour (pixel_of (&map, cell), expected, 5);
  }
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
}

START_TEST (test_pca_colours_are_the_principal_components)
{
  GstHarness *harness = start ("fit-frames=1", RGB_CAPS);
  const double strength[3] = { 3, 2, 1 }, other[3] = { 1, 1, 1.5 };

  check_waves (harness, 0, strength, strength);
  /* The basis is fixed: order and scale stay although the third wave is now the strongest. */
  check_waves (harness, 1, other, strength);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_colours_stay_in_place_while_frames_are_collected)
{
  GstHarness *harness = start ("fit-frames=2", RGB_CAPS);
  const double strength[3] = { 3, 2, 1 }, other[3] = { 1, 2, 5 };
  double both[3];

  for (guint c = 0; c < 3; c++)
    both[c] = sqrt ((strength[c] * strength[c] + other[c] * other[c]) / 2);
  check_waves (harness, 0, strength, strength);
  /* Fitted on both: the third is now the strongest, and remains blue. */
  check_waves (harness, 1, other, both);
  check_waves (harness, 2, strength, both);
  gst_harness_teardown (harness);
}
END_TEST

/* One axis per column modulo 4: the cosine of two patches is 1 or 0. */
static void
fill_axes (float *values, guint shift)
{
  memset (values, 0, CELLS * DIM * sizeof (float));
  for (guint cell = 0; cell < CELLS; cell++)
    values[cell * DIM + (cell + shift) % 4] = 1 + cell;
}

static void
check_similarity (GstHarness *harness, guint index, guint alike)
{
  float values[CELLS * DIM];
  GstBuffer *buffer = make_frame (RGB_CAPS, index);
  GstMapInfo map;

  fill_axes (values, index);
  attach_features (buffer, values);
  buffer = gst_harness_push_and_pull (harness, buffer);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  /* Away from the mark. Half a pixel from the middle of a patch a twentieth of its neighbour shows. */
  for (guint cell = 8 * COLUMNS; cell < CELLS; cell++)
    assert_colour (pixel_of (&map, cell), cell % 4 == alike ? top : bottom, 0.06 * 255);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
}

START_TEST (test_similarity_to_a_point)
{
  /* The point is in column 5, row 3. */
  GstHarness *harness = start ("mode=similarity x=0.34 y=0.26", RGB_CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmoverlay");

  check_similarity (harness, 0, 5 % 4);
  check_similarity (harness, 1, 5 % 4);
  g_object_set (element, "x", 0.4, NULL); /* column 6 */
  check_similarity (harness, 2, 6 % 4);
  /* Held: what is at the point on frame 3 has moved one column to the left on frame 4. */
  g_object_set (element, "hold", TRUE, NULL);
  check_similarity (harness, 3, 6 % 4);
  check_similarity (harness, 4, 5 % 4);
  g_object_set (element, "x", 0.4, NULL);
  check_similarity (harness, 5, 6 % 4);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_change_from_the_frame_before)
{
  GstHarness *harness = start ("mode=change gain=1", RGB_CAPS);
  float values[CELLS * DIM];
  const guint changed = 4 * COLUMNS + 7;

  fill_axes (values, 0);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = make_frame (RGB_CAPS, i);
    GstMapInfo map;

    /* The patch changes on frame 1, frame 2 carries its features, on frame 3 nothing changes. */
    if (i == 1) {
      memset (values + changed * DIM, 0, DIM * sizeof (float));
      values[changed * DIM + 6] = -2;
    }
    attach_features (buffer, values)->carried = i == 2;
    buffer = gst_harness_push_and_pull (harness, buffer);
    gst_buffer_map (buffer, &map, GST_MAP_READ);
    assert_colour (pixel_of (&map, changed), i == 1 || i == 2 ? top : bottom, 0.11 * 255);
    assert_colour (pixel_of (&map, changed + 2), bottom, 1.5);
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* The colour in the middle of @buffer's picture, converted to RGB by GstVideo. */
static void
read_middle (GstBuffer *buffer, const GstVideoInfo *info, guint8 rgb[3])
{
  g_autoptr (GstCaps) from = gst_video_info_to_caps ((GstVideoInfo *) info);
  g_autoptr (GstCaps) to = gst_caps_from_string ("video/x-raw,format=RGB,width=160,height=120,framerate=25/1");
  g_autoptr (GstSample) sample = gst_sample_new (buffer, from, NULL, NULL), converted = NULL;
  g_autoptr (GError) error = NULL;
  GstMapInfo map;

  converted = gst_video_convert_sample (sample, to, 10 * GST_SECOND, &error);
  ck_assert_msg (converted != NULL, "%s: %s", GST_VIDEO_INFO_NAME (info), error ? error->message : "");
  gst_buffer_map (gst_sample_get_buffer (converted), &map, GST_MAP_READ);
  memcpy (rgb, map.data + (60 * WIDTH + 80) * 3, 3);
  gst_buffer_unmap (gst_sample_get_buffer (converted), &map);
}

START_TEST (test_any_raw_format)
{
  guint n, drawn = 0;
  const GstVideoFormat *formats = gst_video_formats_raw (&n);
  float values[CELLS * DIM];

  fill_axes (values, 0);
  for (guint cell = 0; cell < CELLS; cell++)
    memcpy (values + cell * DIM, values, DIM * sizeof (float));
  for (guint i = 0; i < n; i++) {
    const char *name = gst_video_format_to_string (formats[i]);
    const GstVideoFormatInfo *description = gst_video_format_get_info (formats[i]);
    g_autofree char *caps = g_strdup_printf ("video/x-raw,format=%s,width=160,height=120,framerate=25/1", name);
    g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
    GstBuffer *buffer;
    GstHarness *harness;
    GstVideoInfo info;
    guint8 rgb[3];

    if (description->pack_func == NULL || GST_VIDEO_FORMAT_INFO_HAS_PALETTE (description))
      continue; /* no element can write it (RGB8P and tiled formats) */
    ck_assert (gst_video_info_from_caps (&info, parsed));
    harness = start ("mode=similarity x=0 y=0", caps);
    buffer = make_frame (caps, 0);
    attach_features (buffer, values);
    ck_assert_msg (gst_harness_push (harness, buffer) == GST_FLOW_OK, "%s", name);
    buffer = gst_harness_pull (harness);
    read_middle (buffer, &info, rgb);
    if (GST_VIDEO_FORMAT_INFO_IS_GRAY (description))
      assert_near (rgb[0], 255 * (0.299 * top[0] + 0.587 * top[1] + 0.114 * top[2]), 12);
    else
      for (guint c = 0; c < 3; c++)
        ck_assert_msg (fabs (rgb[c] - 255 * top[c]) <= 12, "%s: %u %u %u", name, rgb[0], rgb[1], rgb[2]);
    gst_buffer_unref (buffer);
    gst_harness_teardown (harness);
    drawn++;
  }
  ck_assert_uint_ge (drawn, 90);
}
END_TEST

START_TEST (test_attached_where_downstream_draws)
{
  for (guint draws = 0; draws < 2; draws++) {
    GstHarness *harness = gst_harness_new_parse ("rvmoverlay alpha=0.5");
    float values[CELLS * DIM];
    GstBuffer *buffer = make_frame (RGB_CAPS, 0);
    GstVideoOverlayCompositionMeta *meta;
    GstCaps *caps;
    const double strength[3] = { 3, 2, 1 };
    gint x, y;
    guint width, height;
    GstMapInfo map;
    gsize set = 0;

    /* Downstream takes any caps, and once also says that it draws compositions. */
    if (draws)
      gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str (harness, RGB_CAPS);
    fill_waves (values, strength);
    attach_features (buffer, values);
    buffer = gst_harness_push_and_pull (harness, buffer);
    meta = gst_buffer_get_video_overlay_composition_meta (buffer);
    gst_buffer_map (buffer, &map, GST_MAP_READ);
    for (gsize i = 0; i < map.size; i++)
      set += map.data[i] != 0;
    gst_buffer_unmap (buffer, &map);
    ck_assert_int_eq (meta != NULL, draws);
    ck_assert_int_eq (set == 0, draws);
    caps = gst_pad_get_current_caps (harness->sinkpad);
    ck_assert_int_eq (gst_caps_features_contains (gst_caps_get_features (caps, 0), "meta:GstVideoOverlayComposition"), draws);
    gst_caps_unref (caps);
    if (draws) {
      ck_assert_uint_eq (gst_video_overlay_composition_n_rectangles (meta->overlay), 1);
      ck_assert (gst_video_overlay_rectangle_get_render_rectangle (gst_video_overlay_composition_get_rectangle (meta->overlay, 0),
              &x, &y, &width, &height));
      ck_assert (x == 0 && y == 0 && width == WIDTH && height == HEIGHT);
    }
    gst_buffer_unref (buffer);
    gst_harness_teardown (harness);
  }
}
END_TEST

START_TEST (test_nothing_to_show)
{
  GstHarness *harness = start ("", RGB_CAPS);
  GstBuffer *in = make_frame (RGB_CAPS, 0), *out = gst_harness_push_and_pull (harness, gst_buffer_ref (in));

  /* Neither features nor tracks: the picture is not even copied. */
  ck_assert_ptr_eq (gst_buffer_peek_memory (in, 0), gst_buffer_peek_memory (out, 0));
  gst_buffer_unref (in);
  gst_buffer_unref (out);
  gst_harness_teardown (harness);
}
END_TEST

static gpointer
change_properties (gpointer data)
{
  GstElement *element = g_weak_ref_get (data);

  for (guint i = 0; i < 400; i++) {
    g_object_set (element, "mode", i % 4, "alpha", i % 10 / 10.0, "x", i % 7 / 7.0, "y", i % 5 / 5.0, "hold", i % 3 == 0,
        "gain", (double) i, "tracks", i % 2, "trail", i % 40, NULL);
    g_usleep (100);
  }
  gst_object_unref (element);
  return NULL;
}

START_TEST (test_properties_change_while_playing)
{
  GstHarness *harness = start ("", RGB_CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmoverlay");
  GWeakRef reference;
  GThread *thread;
  const double strength[3] = { 3, 2, 1 };
  float values[CELLS * DIM];

  fill_waves (values, strength);
  g_weak_ref_init (&reference, element);
  thread = g_thread_new ("properties", change_properties, &reference);
  for (guint i = 0; i < 60; i++) {
    GstRvmTrack track = {.id = 1 + i / 20,.x = 10 + i,.y = 50,.visible = TRUE };
    GstBuffer *buffer = make_frame (RGB_CAPS, i);

    attach_features (buffer, values);
    gst_rvm_buffer_add_track_meta (buffer, &track, 1);
    buffer = gst_harness_push_and_pull (harness, buffer);
    ck_assert_ptr_ne (buffer, NULL);
    gst_buffer_unref (buffer);
  }
  g_thread_join (thread);
  g_weak_ref_clear (&reference);
  gst_harness_teardown (harness);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_pca_colours_are_the_principal_components);
  tcase_add_test (tests, test_colours_stay_in_place_while_frames_are_collected);
  tcase_add_test (tests, test_similarity_to_a_point);
  tcase_add_test (tests, test_change_from_the_frame_before);
  tcase_add_test (tests, test_any_raw_format);
  tcase_add_test (tests, test_attached_where_downstream_draws);
  tcase_add_test (tests, test_nothing_to_show);
  tcase_add_test (tests, test_properties_change_while_playing);
  return run_cases ("rvmoverlay", tests);
}
