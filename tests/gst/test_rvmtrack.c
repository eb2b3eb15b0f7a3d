/* rvmtrack on features that are made here: a world of random features, a ring, turns by one patch a frame, so that the truth is known. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"
#include "tests/run_cases.h"


START_TEST (test_points_and_boxes_follow)
{
  GstHarness *harness = ring_start ("points=\"30,50;0.5,0.25\" boxes=\"20,30,40,30\"");

  for (guint i = 0; i < 7; i++) {
    g_autoptr (GstBuffer) buffer = ring_step (harness, i, 1);
    const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);
    GstVideoRegionOfInterestMeta *region = gst_buffer_get_video_region_of_interest_meta_id (buffer, 3);

    ck_assert_uint_eq (meta->n_tracks, 3);
    for (guint k = 0; k < 3; k++) {
      ck_assert_uint_eq (meta->tracks[k].id, k + 1);
      ck_assert (meta->tracks[k].visible);
      ck_assert_uint_eq (meta->tracks[k].first_seen, 0);
      ck_assert_uint_eq (meta->tracks[k].last_seen, i * 40 * GST_MSECOND);
    }
    ck_assert_int_eq (meta->tracks[0].kind, GST_RVM_TRACK_POINT);
    assert_near (meta->tracks[0].x, 30 + i * CELL, 0.01);
    assert_near (meta->tracks[0].y, 50, 0.01);
    assert_near (meta->tracks[1].x, 80 + i * CELL, 0.01);
    assert_near (meta->tracks[1].y, 30, 0.01);
    ck_assert_int_eq (meta->tracks[2].kind, GST_RVM_TRACK_BOX);
    assert_near (meta->tracks[2].x, 20 + i * CELL, 0.01);
    assert_near (meta->tracks[2].y, 30, 0.01);
    assert_near (meta->tracks[2].width, 40, 0.01);
    assert_near (meta->tracks[2].height, 30, 0.01);
    ck_assert_ptr_ne (region, NULL);
    ck_assert_uint_le (ABS ((int) region->x - (int) (20 + i * CELL)), 1);
  }
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_added_and_removed_while_playing)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBuffer) first = ring_step (harness, 0, 1), second = NULL, third = NULL, fourth = NULL;
  const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (first);
  guint id = 0;

  ck_assert_uint_eq (meta->n_tracks, 1);
  g_signal_emit_by_name (element, "add-point", 50.0, 70.0, &id);
  ck_assert_uint_eq (id, 2);
  second = ring_step (harness, 1, 1);
  meta = gst_rvm_buffer_get_track_meta (second);
  ck_assert_uint_eq (meta->n_tracks, 2);
  assert_near (meta->tracks[1].x, 50, 1e-9);
  third = ring_step (harness, 2, 1);
  meta = gst_rvm_buffer_get_track_meta (third);
  assert_near (meta->tracks[0].x, 50, 0.01);
  assert_near (meta->tracks[1].x, 60, 0.01);
  g_signal_emit_by_name (element, "remove", 1);
  fourth = ring_step (harness, 3, 1);
  meta = gst_rvm_buffer_get_track_meta (fourth);
  ck_assert_uint_eq (meta->n_tracks, 1);
  ck_assert_uint_eq (meta->tracks[0].id, 2);
  assert_near (meta->tracks[0].x, 70, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_carried_and_reset)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");
  G_GNUC_UNUSED g_autoptr (GstBuffer) first = ring_step (harness, 0, 1), second = ring_step (harness, 1, 1);
  g_autoptr (GstBuffer) carried = NULL, reset = NULL;
  const GstRvmTrackMeta *meta;

  carried = gst_harness_push_and_pull (harness, ring_make_frame (5, 1, TRUE));
  meta = gst_rvm_buffer_get_track_meta (carried);
  assert_near (meta->tracks[0].x, 40, 0.01);
  ck_assert_uint_eq (meta->tracks[0].last_seen, 40 * GST_MSECOND);
  reset = ring_step (harness, 9, 2);
  meta = gst_rvm_buffer_get_track_meta (reset);
  ck_assert_uint_eq (meta->n_tracks, 1);
  ck_assert_uint_eq (meta->tracks[0].id, 2);
  assert_near (meta->tracks[0].x, 30, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_positions_scale_with_the_picture)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack colours=0 place=0 refine=0 points=\"30,50\" ! videoscale ! capsfilter caps=video/x-raw,width=80,height=240");
  g_autoptr (GstBuffer) first = NULL;
  const GstRvmTrackMeta *meta;

  gst_harness_set_src_caps_str (harness, CAPS);
  first = ring_step (harness, 0, 1);
  meta = gst_rvm_buffer_get_track_meta (first);
  ck_assert_ptr_ne (meta, NULL);
  assert_near (meta->tracks[0].x, 15, 0.01);
  assert_near (meta->tracks[0].y, 100, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_overlay_draws_tracks)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack colours=0 place=0 refine=0 points=\"30,50\" ! rvmoverlay mode=none"), *plain = gst_harness_new_parse ("rvmoverlay");
  g_autoptr (GstBuffer) drawn = NULL, untouched = NULL, in = gst_buffer_new_allocate (NULL, 160 * 120, NULL);
  guint8 around = 77, far = 77;

  gst_harness_set_src_caps_str (harness, CAPS);
  gst_harness_set_src_caps_str (plain, CAPS);
  gst_buffer_memset (in, 0, 77, 160 * 120);
  untouched = gst_harness_push_and_pull (plain, gst_buffer_copy_deep (in));
  ck_assert_int_eq (gst_buffer_memcmp (untouched, 0, (const guint8[]){ 77, 77, 77, 77 }, 4), 0);
  {
    GstBuffer *frame = ring_make_frame (0, 1, FALSE);
    gst_buffer_memset (frame, 0, 77, 160 * 120);
    drawn = gst_harness_push_and_pull (harness, frame);
  }
  /* On the circle, and away from it. */
  gst_buffer_extract (drawn, 50 * 160 + 32, &around, 1);
  gst_buffer_extract (drawn, 100 * 160 + 140, &far, 1);
  ck_assert_uint_ne (around, 77);
  ck_assert_uint_eq (far, 77);
  gst_harness_teardown (harness);
  gst_harness_teardown (plain);
}
END_TEST

START_TEST (test_masks_follow)
{
  g_autofree guint8 *truth = g_malloc (160 * 120);
  g_autofree char *path = NULL, *settings = NULL;
  GstHarness *harness;
  g_autoptr (GstElement) element = NULL;

  ring_draw_objects (truth, 0);
  path = ring_write_mask (160, 120, truth, PNG_FORMAT_GRAY);
  settings = g_strdup_printf ("mask-file=\"%s\"", path);
  harness = ring_start (settings);
  element = gst_harness_find_element (harness, "rvmtrack");
  for (guint index = 0; index < 6; index++) {
    g_autoptr (GstBuffer) buffer = ring_step (harness, index, 1);
    const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);
    guint width, height, both[2] = { 0 }, either[2] = { 0 };
    g_autoptr (GBytes) mask = gst_rvm_track_meta_get_mask (meta, &width, &height);
    const guint8 *found = g_bytes_get_data (mask, NULL);

    ring_draw_objects (truth, index);
    ck_assert_uint_eq (meta->n_tracks, 2);
    ck_assert_uint_eq (width, 160);
    ck_assert_uint_eq (height, 120);
    for (guint at = 0; at < 160 * 120; at++)
      for (guint i = 0; i < 2; i++) {
        both[i] += truth[at] == ring_objects[i][0] && found[at] == ring_objects[i][0];
        either[i] += truth[at] == ring_objects[i][0] || found[at] == ring_objects[i][0];
      }
    for (guint i = 0; i < 2; i++) {
      const GstRvmTrack *track = &meta->tracks[i];
      const GstVideoRegionOfInterestMeta *region = gst_buffer_get_video_region_of_interest_meta_id (buffer, 1 + i);

      ck_assert_uint_eq (track->id, 1 + i);
      ck_assert_int_eq (track->kind, GST_RVM_TRACK_MASK);
      ck_assert_uint_eq (track->mask_value, ring_objects[i][0]);
      ck_assert (track->visible);
      /* Interpolation takes the corners off, nothing else. */
      ck_assert_msg (both[i] >= (index ? 0.96 : 1) * either[i], "frame %u object %u: %u of %u pixels", index, i, both[i], either[i]);
      assert_near (track->x, (ring_objects[i][1] + index) * CELL, 1e-9);
      assert_near (track->y, ring_objects[i][2] * CELL, 1e-9);
      assert_near (track->width, ring_objects[i][3] * CELL, 1e-9);
      assert_near (track->height, ring_objects[i][4] * CELL, 1e-9);
      ck_assert_ptr_ne (region, NULL);
      ck_assert_uint_eq (region->w, ring_objects[i][3] * CELL);
    }
  }
  g_signal_emit_by_name (element, "remove", 1);
  {
    g_autoptr (GstBuffer) buffer = ring_step (harness, 6, 1);
    const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);
    g_autoptr (GBytes) mask = gst_rvm_track_meta_get_mask (meta, NULL, NULL);

    ck_assert_uint_eq (meta->n_tracks, 1);
    ck_assert_ptr_eq (memchr (g_bytes_get_data (mask, NULL), 5, 160 * 120), NULL);
    ck_assert_ptr_ne (memchr (g_bytes_get_data (mask, NULL), 9, 160 * 120), NULL);
  }
  unlink (path);
  gst_harness_teardown (harness);
}
END_TEST

/* How well the masks of the ring's third frame fit, whose picture shows the objects @shift pixels beside where features say. */
static double
overlap_of (const char *settings, guint shift)
{
  g_autofree guint8 *truth = g_malloc (160 * 120);
  g_autofree char *path = NULL, *all = NULL;
  guint both = 0, either = 0;
  GstHarness *harness;

  ring_draw_objects (truth, 0);
  path = ring_write_mask (160, 120, truth, PNG_FORMAT_GRAY);
  all = g_strdup_printf ("rvmtrack colours=0 place=0 mask-file=\"%s\" %s", path, settings);
  harness = gst_harness_new_parse (all);
  gst_harness_set_src_caps_str (harness, CAPS);
  for (guint index = 0; index < 3; index++) {
    GstBuffer *in = ring_make_frame (index, 1, FALSE);
    g_autoptr (GstBuffer) out = NULL;
    GstMapInfo map;

    ring_draw_objects (truth, index);
    memmove (truth + shift, truth, 160 * 120 - shift);
    ck_assert (gst_buffer_map (in, &map, GST_MAP_WRITE));
    for (guint at = 0; at < 160 * 120; at++)
      map.data[at] = 60 + 30 * (truth[at] == 5) + 60 * (truth[at] == 9);
    gst_buffer_unmap (in, &map);
    out = gst_harness_push_and_pull (harness, in);
    ck_assert_ptr_ne (out, NULL);
    if (index < 2)
      continue;
    g_autoptr (GBytes) mask = gst_rvm_track_meta_get_mask (gst_rvm_buffer_get_track_meta (out), NULL, NULL);
    const guint8 *found = g_bytes_get_data (mask, NULL);
    for (guint at = 0; at < 160 * 120; at++) {
      both += truth[at] && found[at] == truth[at];
      either += truth[at] || found[at];
    }
  }
  gst_harness_teardown (harness);
  unlink (path);
  return (double) both / either;
}

START_TEST (test_masks_get_the_edges_of_the_picture)
{
  const double coarse = overlap_of ("refine=0", 4), refined = overlap_of ("", 4);

  ck_assert_msg (coarse < 0.8 && refined > 0.93, "%.3f with refine=0, %.3f by default", coarse, refined);
}
END_TEST

/* Places that are not in the middle of a patch. */
START_TEST (test_places_within_a_patch)
{
  GstHarness *harness = ring_start ("points=\"33.25,57.5\" boxes=\"23,31,44,27\"");

  for (guint i = 0; i < 6; i++) {
    g_autoptr (GstBuffer) buffer = ring_step (harness, i, 1);
    const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);

    assert_near (meta->tracks[0].x, 33.25 + i * CELL, 0.01);
    assert_near (meta->tracks[0].y, 57.5, 0.01);
    assert_near (meta->tracks[1].x, 23 + i * CELL, 0.01);
    assert_near (meta->tracks[1].y, 31, 0.01);
    assert_near (meta->tracks[1].width, 44, 0.01);
    assert_near (meta->tracks[1].height, 27, 0.01);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* A box of a fraction of a patch is followed, and believed, as one of many patches is. */
START_TEST (test_boxes_smaller_than_a_patch)
{
  GstHarness *harness = ring_start ("boxes=\"33,44,4,3;47,38,5,4\"");

  for (guint i = 0; i < 6; i++) {
    g_autoptr (GstBuffer) buffer = ring_step (harness, i, 1);
    const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);

    for (guint k = 0; k < 2; k++) {
      ck_assert (meta->tracks[k].visible);
      ck_assert (meta->tracks[k].confidence > 0.5);
      assert_near (meta->tracks[k].x, (k ? 47 : 33) + i * CELL, 0.01);
      assert_near (meta->tracks[k].y, k ? 38 : 44, 0.01);
      assert_near (meta->tracks[k].width, k ? 5 : 4, 0.01);
      assert_near (meta->tracks[k].height, k ? 4 : 3, 0.01);
    }
  }
  gst_harness_teardown (harness);
}
END_TEST

/* Pushes one frame with @settings; the error must contain @part. */
static void
expect_error (const char *settings, GstRvmFeatureParts parts, const char *part)
{
  g_autofree char *launch = g_strdup_printf ("rvmtrack colours=0 place=0 refine=0 %s", settings);
  GstHarness *harness = gst_harness_new_parse (launch);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  GstBuffer *buffer = ring_make_frame (0, 1, FALSE);

  gst_element_set_bus (element, bus);
  gst_harness_set_src_caps_str (harness, CAPS);
  gst_rvm_buffer_get_feature_meta (buffer)->parts = parts;
  ck_assert_int_eq (gst_harness_push (harness, buffer), GST_FLOW_ERROR);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  ck_assert_ptr_ne (message, NULL);
  gst_message_parse_error (message, &error, NULL);
  ck_assert_msg (strstr (error->message, part) != NULL, "'%s' does not say '%s'", error->message, part);
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}

START_TEST (test_bad_input)
{
  static const char *const texts[] = { "points=a,b", "points=1", "points=1,2,3", "boxes=1,2,3", "points=nan,1", "device=nothing" };

  expect_error ("points=\"500,50\"", GST_RVM_FEATURE_PATCHES, "not inside");
  expect_error ("boxes=\"10,10,0,20\"", GST_RVM_FEATURE_PATCHES, "no size");
  expect_error ("points=\"5,50;6,50;7,50\" max-tracks=2", GST_RVM_FEATURE_PATCHES, "expected at most 2");
  expect_error ("points=\"5,50\"", GST_RVM_FEATURE_CLASS, "no patches");
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *launch = g_strdup_printf ("rvmtrack %s", texts[i]);
    g_autoptr (GstElement) element = gst_parse_launch (launch, NULL);
    ck_assert_int_eq (gst_element_set_state (element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    gst_element_set_state (element, GST_STATE_NULL);
  }
}
END_TEST

/* READY to PAUSED with @settings must fail and say @part. */
static void
expect_no_start (const char *settings, const char *part)
{
  g_autofree char *launch = g_strdup_printf ("rvmtrack colours=0 place=0 refine=0 %s", settings);
  g_autoptr (GstElement) element = gst_parse_launch (launch, NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  gst_element_set_bus (element, bus);
  ck_assert_int_eq (gst_element_set_state (element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  ck_assert_ptr_ne (message, NULL);
  gst_message_parse_error (message, &error, NULL);
  ck_assert_msg (strstr (error->message, part) != NULL, "'%s' does not say '%s'", error->message, part);
  gst_element_set_bus (element, NULL);
  gst_element_set_state (element, GST_STATE_NULL);
}

START_TEST (test_bad_masks)
{
  g_autofree guint8 *pixels = g_malloc0 (160 * 120 * 3);
  g_autofree char *empty = ring_write_mask (160, 120, pixels, PNG_FORMAT_GRAY), *colours = ring_write_mask (160, 120, pixels, PNG_FORMAT_RGB);
  g_autofree char *small = NULL, *text = NULL, *of_empty = g_strdup_printf ("mask-file=\"%s\"", empty);
  g_autofree char *of_colours = g_strdup_printf ("mask-file=\"%s\"", colours), *of_small = NULL, *of_text = NULL, *few = NULL, *cut = NULL;

  ring_draw_objects (pixels, 0);
  small = ring_write_mask (150, 120, pixels, PNG_FORMAT_GRAY);
  of_small = g_strdup_printf ("mask-file=\"%s\"", small);
  few = g_strdup_printf ("mask-file=\"%s\" max-tracks=1", small);
  expect_error (of_small, GST_RVM_FEATURE_PATCHES, "expected the size of the picture as it is shown, 160 x 120");
  text = g_strconcat (small, ".txt", NULL);
  of_text = g_strdup_printf ("mask-file=\"%s\"", text);
  expect_no_start (of_text, "No such file");
  ck_assert (g_file_set_contents (text, "not a picture", -1, NULL));
  expect_no_start (of_text, "cannot be read as PNG");
  /* The first half of a good file. */
  {
    gsize size;
    ck_assert (g_file_get_contents (small, &cut, &size, NULL));
    ck_assert (g_file_set_contents (text, cut, size / 2, NULL));
  }
  expect_no_start (of_text, "cannot be read as PNG");
  expect_no_start (of_empty, "has no object");
  expect_no_start (of_colours, "indexed or grey");
  unlink (small);
  g_free (small);
  small = ring_write_mask (160, 120, pixels, PNG_FORMAT_GRAY);
  g_free (few);
  few = g_strdup_printf ("mask-file=\"%s\" max-tracks=1", small);
  expect_error (few, GST_RVM_FEATURE_PATCHES, "expected at most 1");
  unlink (small);
  unlink (text);
  unlink (empty);
  unlink (colours);
}
END_TEST

/* Signals that cannot be followed are warnings, and the stream goes on. */
START_TEST (test_bad_signals)
{
  GstHarness *harness = ring_start ("points=\"30,50\" max-tracks=2");
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBus) bus = gst_bus_new ();
  guint ids[3] = { 9, 9, 9 };

  gst_element_set_bus (element, bus);
  gst_buffer_unref (ring_step (harness, 0, 1));
  g_signal_emit_by_name (element, "add-point", 500.0, 70.0, &ids[0]);
  g_signal_emit_by_name (element, "add-box", 5.0, 7.0, 20.0, 20.0, &ids[1]);
  g_signal_emit_by_name (element, "remove", 77);
  ck_assert_uint_eq (ids[0], 2);
  ck_assert_uint_eq (ids[1], 0);
  {
    g_autoptr (GstBuffer) buffer = ring_step (harness, 1, 1);
    g_autoptr (GstMessage) full = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING), outside = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
    g_autoptr (GError) one = NULL, other = NULL;

    ck_assert_uint_eq (gst_rvm_buffer_get_track_meta (buffer)->n_tracks, 1);
    ck_assert (full && outside);
    gst_message_parse_warning (full, &one, NULL);
    gst_message_parse_warning (outside, &other, NULL);
    ck_assert_ptr_ne (strstr (one->message, "max-tracks"), NULL);
    ck_assert_ptr_ne (strstr (other->message, "not inside"), NULL);
  }
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_points_and_boxes_follow);
  tcase_add_test (tests, test_added_and_removed_while_playing);
  tcase_add_test (tests, test_carried_and_reset);
  tcase_add_test (tests, test_positions_scale_with_the_picture);
  tcase_add_test (tests, test_overlay_draws_tracks);
  tcase_add_test (tests, test_masks_follow);
  tcase_add_test (tests, test_masks_get_the_edges_of_the_picture);
  tcase_add_test (tests, test_places_within_a_patch);
  tcase_add_test (tests, test_boxes_smaller_than_a_patch);
  tcase_add_test (tests, test_bad_input);
  tcase_add_test (tests, test_bad_masks);
  tcase_add_test (tests, test_bad_signals);
  return run_cases ("rvmtrack", tests);
}
