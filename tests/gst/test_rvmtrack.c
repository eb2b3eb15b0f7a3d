/* rvmtrack on features that are made here: a world of random features, a ring, turns by one patch a frame, so that the truth is known. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"

/* The libcheck inside GStreamer has no comparison with a tolerance. */
#define assert_near(a, b, tolerance) \
  ck_assert_msg (fabs ((a) - (b)) <= (tolerance), "%s is %g, expected %g", #a, (double) (a), (double) (b))

static GstHarness *
start (const char *settings)
{
  g_autofree char *launch = g_strdup_printf ("rvmtrack %s", settings);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, CAPS);
  return harness;
}

static GstBuffer *
step (GstHarness *harness, guint index, guint64 generation)
{
  GstBuffer *buffer = gst_harness_push_and_pull (harness, ring_make_frame (index, generation, FALSE));

  ck_assert_ptr_ne (buffer, NULL);
  return buffer;
}

START_TEST (test_points_and_boxes_follow)
{
  GstHarness *harness = start ("points=\"30,50;0.5,0.25\" boxes=\"20,30,40,30\"");

  for (guint i = 0; i < 7; i++) {
    g_autoptr (GstBuffer) buffer = step (harness, i, 1);
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
  GstHarness *harness = start ("points=\"30,50\"");
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBuffer) first = step (harness, 0, 1), second = NULL, third = NULL, fourth = NULL;
  const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (first);
  guint id = 0;

  ck_assert_uint_eq (meta->n_tracks, 1);
  g_signal_emit_by_name (element, "add-point", 50.0, 70.0, &id);
  ck_assert_uint_eq (id, 2);
  second = step (harness, 1, 1);
  meta = gst_rvm_buffer_get_track_meta (second);
  ck_assert_uint_eq (meta->n_tracks, 2);
  assert_near (meta->tracks[1].x, 50, 1e-9);
  third = step (harness, 2, 1);
  meta = gst_rvm_buffer_get_track_meta (third);
  assert_near (meta->tracks[0].x, 50, 0.01);
  assert_near (meta->tracks[1].x, 60, 0.01);
  g_signal_emit_by_name (element, "remove", 1);
  fourth = step (harness, 3, 1);
  meta = gst_rvm_buffer_get_track_meta (fourth);
  ck_assert_uint_eq (meta->n_tracks, 1);
  ck_assert_uint_eq (meta->tracks[0].id, 2);
  assert_near (meta->tracks[0].x, 70, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_carried_and_reset)
{
  GstHarness *harness = start ("points=\"30,50\"");
  G_GNUC_UNUSED g_autoptr (GstBuffer) first = step (harness, 0, 1), second = step (harness, 1, 1);
  g_autoptr (GstBuffer) carried = NULL, anew = NULL;
  const GstRvmTrackMeta *meta;

  carried = gst_harness_push_and_pull (harness, ring_make_frame (5, 1, TRUE));
  meta = gst_rvm_buffer_get_track_meta (carried);
  assert_near (meta->tracks[0].x, 40, 0.01);
  ck_assert_uint_eq (meta->tracks[0].last_seen, 40 * GST_MSECOND);
  anew = step (harness, 9, 2);
  meta = gst_rvm_buffer_get_track_meta (anew);
  ck_assert_uint_eq (meta->n_tracks, 1);
  ck_assert_uint_eq (meta->tracks[0].id, 2);
  assert_near (meta->tracks[0].x, 30, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_positions_scale_with_the_picture)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack points=\"30,50\" ! videoscale ! capsfilter caps=video/x-raw,width=80,height=240");
  g_autoptr (GstBuffer) first = NULL;
  const GstRvmTrackMeta *meta;

  gst_harness_set_src_caps_str (harness, CAPS);
  first = step (harness, 0, 1);
  meta = gst_rvm_buffer_get_track_meta (first);
  ck_assert_ptr_ne (meta, NULL);
  assert_near (meta->tracks[0].x, 15, 0.01);
  assert_near (meta->tracks[0].y, 100, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_overlay_draws_tracks)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack points=\"30,50\" ! rvmoverlay mode=none"), *plain = gst_harness_new_parse ("rvmoverlay");
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
  settings = g_strdup_printf ("mask-file=%s", path);
  harness = start (settings);
  element = gst_harness_find_element (harness, "rvmtrack");
  for (guint index = 0; index < 6; index++) {
    g_autoptr (GstBuffer) buffer = step (harness, index, 1);
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
    g_autoptr (GstBuffer) buffer = step (harness, 6, 1);
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

/* Places that are not in the middle of a patch. */
START_TEST (test_places_within_a_patch)
{
  GstHarness *harness = start ("points=\"33.25,57.5\" boxes=\"23,31,44,27\"");

  for (guint i = 0; i < 6; i++) {
    g_autoptr (GstBuffer) buffer = step (harness, i, 1);
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

/* Pushes one frame with @settings; the error must contain @part. */
static void
expect_error (const char *settings, GstRvmFeatureParts parts, const char *part)
{
  g_autofree char *launch = g_strdup_printf ("rvmtrack %s", settings);
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
  g_autofree char *launch = g_strdup_printf ("rvmtrack %s", settings);
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
  g_autofree char *small = NULL, *text = NULL, *of_empty = g_strdup_printf ("mask-file=%s", empty);
  g_autofree char *of_colours = g_strdup_printf ("mask-file=%s", colours), *of_small = NULL, *of_text = NULL, *few = NULL, *cut = NULL;

  ring_draw_objects (pixels, 0);
  small = ring_write_mask (150, 120, pixels, PNG_FORMAT_GRAY);
  of_small = g_strdup_printf ("mask-file=%s", small);
  few = g_strdup_printf ("mask-file=%s max-tracks=1", small);
  expect_error (of_small, GST_RVM_FEATURE_PATCHES, "expected the size of the picture, 160 x 120");
  text = g_strconcat (small, ".txt", NULL);
  of_text = g_strdup_printf ("mask-file=%s", text);
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
  few = g_strdup_printf ("mask-file=%s max-tracks=1", small);
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
  GstHarness *harness = start ("points=\"30,50\" max-tracks=2");
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBus) bus = gst_bus_new ();
  guint ids[3] = { 9, 9, 9 };

  gst_element_set_bus (element, bus);
  gst_buffer_unref (step (harness, 0, 1));
  g_signal_emit_by_name (element, "add-point", 500.0, 70.0, &ids[0]);
  g_signal_emit_by_name (element, "add-box", 5.0, 7.0, 20.0, 20.0, &ids[1]);
  g_signal_emit_by_name (element, "remove", 77);
  ck_assert_uint_eq (ids[0], 2);
  ck_assert_uint_eq (ids[1], 0);
  {
    g_autoptr (GstBuffer) buffer = step (harness, 1, 1);
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

/* What an application's thread does while frames go by. */
typedef struct {
  GstElement *track, *overlay, *export;
  gint done; /* atomic */
} Application;

static gpointer
play_with_properties (gpointer data)
{
  Application *app = data;

  for (guint i = 0; !g_atomic_int_get (&app->done); i++) {
    g_autofree char *points = NULL, *boxes = NULL, *location = NULL;
    guint64 frames;
    guint id = 0;

    g_object_set (app->track, "points", i % 2 ? "30,50" : "40,50;50,60", "boxes", i % 3 ? "20,30,40,30" : NULL, "regions", i % 3, "context", 4 + i % 5,
        NULL);
    g_object_get (app->track, "points", &points, "boxes", &boxes, NULL);
    g_signal_emit_by_name (app->track, i % 2 ? "add-point" : "add-box", 30.0, 40.0, 20.0, 20.0, &id);
    ck_assert_uint_ne (id, 0);
    g_signal_emit_by_name (app->track, "remove", id);
    g_object_set (app->overlay, "trail", i % 32, "tracks", i % 2 == 0, NULL);
    g_object_get (app->export, "frames", &frames, "location", &location, NULL);
    g_thread_yield ();
  }
  return NULL;
}

/* Meant for ThreadSanitizer, true without it: ids stay ordered and unique whatever happens beside the stream. */
START_TEST (test_properties_while_playing)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack max-tracks=4096 ! rvmexport location=/dev/null ! rvmoverlay mode=none");
  Application app = { .track = gst_harness_find_element (harness, "rvmtrack"), .overlay = gst_harness_find_element (harness, "rvmoverlay"),
    .export = gst_harness_find_element (harness, "rvmexport") };
  GThread *thread;
  guint highest = 0;

  gst_harness_set_src_caps_str (harness, CAPS);
  thread = g_thread_new ("application", play_with_properties, &app);
  for (guint i = 0; i < 60; i++) {
    g_autoptr (GstBuffer) buffer = step (harness, i % COLUMNS, 1 + i / 20);
    const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);
    guint before = 0;

    for (guint k = 0; k < meta->n_tracks; k++) {
      ck_assert_uint_gt (meta->tracks[k].id, before);
      before = meta->tracks[k].id;
      /* A new state has new ids. */
      if (i % 20 == 0)
        ck_assert_uint_gt (meta->tracks[k].id, highest);
    }
    if (i % 20 == 19)
      highest = before;
  }
  g_atomic_int_set (&app.done, TRUE);
  g_thread_join (thread);
  gst_object_unref (app.track);
  gst_object_unref (app.overlay);
  gst_object_unref (app.export);
  gst_harness_teardown (harness);
}
END_TEST

/* What is hidden is lost, stays with its last place, and is found again when it comes back. */
START_TEST (test_lost_and_found)
{
  GstHarness *harness = start ("points=\"30,50\" boxes=\"20,30,40,30\" context=2");

  for (guint i = 0; i < 9; i++) {
    GstBuffer *frame = ring_make_frame (i, 1, FALSE);
    const gboolean hidden = i >= 3 && i < 6;
    g_autoptr (GstBuffer) buffer = NULL;
    const GstRvmTrackMeta *meta;

    /* Behind a wall whose patches all look like the one in the last column. */
    if (hidden) {
      GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (frame);
      gsize size;
      float *values = g_memdup2 (g_bytes_get_data (features->data, &size), g_bytes_get_size (features->data));
      const float *wall = (const float *) g_bytes_get_data (features->data, NULL) + (ROWS * COLUMNS - 1) * DIM;
      for (guint cell = 0; cell < ROWS * COLUMNS; cell++)
        memcpy (values + cell * DIM, wall, DIM * sizeof *values);
      g_bytes_unref (features->data);
      features->data = g_bytes_new_take (values, size);
    }
    buffer = gst_harness_push_and_pull (harness, frame);
    meta = gst_rvm_buffer_get_track_meta (buffer);
    ck_assert_uint_eq (meta->n_tracks, 2);
    for (guint k = 0; k < 2; k++) {
      const GstRvmTrack *track = &meta->tracks[k];
      const guint seen = hidden ? 2 : i;

      ck_assert_uint_eq (track->id, 1 + k);
      ck_assert_msg (track->visible == !hidden, "frame %u, track %u: %d", i, track->id, track->visible);
      ck_assert_uint_eq (track->last_seen, seen * 40 * GST_MSECOND);
      ck_assert (hidden ? track->confidence < 0.25 : track->confidence > 0.5);
      assert_near (track->x, (k ? 20 : 30) + seen * CELL, 0.5);
    }
    ck_assert (hidden == (gst_buffer_get_video_region_of_interest_meta_id (buffer, 2) == NULL));
  }
  gst_harness_teardown (harness);
}
END_TEST

/* A detector on every frame: what a track covers is the same thing, what none covers is new; one more than there is room for is left out. */
START_TEST (test_regions)
{
  static const char *const modes[] = { "none", "first", "new" };
  static const guint expected[] = { 0, 1, 2 };

  for (guint mode = 0; mode < 3; mode++) {
    g_autofree char *settings = g_strdup_printf ("regions=%s max-tracks=2", modes[mode]);
    GstHarness *harness = start (settings);
    GstVideoRegionOfInterestMeta *region;

    for (guint i = 0; i < 4; i++) {
      GstBuffer *frame = ring_make_frame (i, 1, FALSE);
      g_autoptr (GstBuffer) buffer = NULL;
      const GstRvmTrackMeta *meta;

      gst_buffer_add_video_region_of_interest_meta (frame, "car", 22 + i * CELL, 28, 40, 30);
      if (i == 2) {
        gst_buffer_add_video_region_of_interest_meta (frame, "cat", 90, 80, 30, 30);
        gst_buffer_add_video_region_of_interest_meta (frame, "dog", 110, 5, 30, 30);
        /* Ours, and one outside. */
        region = gst_buffer_add_video_region_of_interest_meta (frame, "rvm-track", 5, 90, 30, 30);
        region->id = 9;
        gst_buffer_add_video_region_of_interest_meta (frame, "far", 500, 5, 30, 30);
      }
      buffer = gst_harness_push_and_pull (harness, frame);
      meta = gst_rvm_buffer_get_track_meta (buffer);
      ck_assert_uint_eq (meta->n_tracks, i < 2 ? MIN (expected[mode], 1) : expected[mode]);
      if (mode)
        ck_assert_str_eq (g_quark_to_string (meta->tracks[0].label), "car");
      if (mode == 2 && i >= 2)
        ck_assert_str_eq (g_quark_to_string (meta->tracks[1].label), "cat");
    }
    gst_harness_teardown (harness);
  }
}
END_TEST

/* No features, and a grid that changes without a new state. */
START_TEST (test_other_features)
{
  GstHarness *harness = start ("points=\"30,50\"");
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GstBuffer) without = NULL, other = NULL;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GBytes) few = g_bytes_new_take (g_malloc0 (6 * 8 * DIM * sizeof (float)), 6 * 8 * DIM * sizeof (float));
  GstBuffer *frame = gst_buffer_new_allocate (NULL, 160 * 120, NULL);
  GstRvmFeatureMeta *features;

  gst_element_set_bus (element, bus);
  without = gst_harness_push_and_pull (harness, gst_buffer_new_allocate (NULL, 160 * 120, NULL));
  ck_assert_ptr_eq (gst_rvm_buffer_get_track_meta (without), NULL);
  /* rvmencode is missing: said once, at the end. */
  gst_harness_push_event (harness, gst_event_new_eos ());
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  ck_assert_ptr_ne (message, NULL);
  gst_harness_teardown (harness);

  harness = start ("points=\"30,50\"");
  gst_buffer_unref (step (harness, 0, 1));
  gst_buffer_unref (step (harness, 1, 1));
  features = gst_rvm_buffer_add_feature_meta (frame, GST_RVM_FEATURE_PATCHES, 6, 8, DIM, few, "made here");
  features->generation = 1;
  other = gst_harness_push_and_pull (harness, frame);
  ck_assert_uint_eq (gst_rvm_buffer_get_track_meta (other)->n_tracks, 1);
  ck_assert_uint_eq (gst_rvm_buffer_get_track_meta (other)->tracks[0].id, 2);
  assert_near (gst_rvm_buffer_get_track_meta (other)->tracks[0].x, 30, 1e-9);
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}
END_TEST

int
main (int argc, char **argv)
{
  Suite *suite = suite_create ("rvmtrack");
  TCase *tests = tcase_create ("all");
  SRunner *runner;
  int failed;

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_points_and_boxes_follow);
  tcase_add_test (tests, test_added_and_removed_while_playing);
  tcase_add_test (tests, test_carried_and_reset);
  tcase_add_test (tests, test_positions_scale_with_the_picture);
  tcase_add_test (tests, test_overlay_draws_tracks);
  tcase_add_test (tests, test_masks_follow);
  tcase_add_test (tests, test_places_within_a_patch);
  tcase_add_test (tests, test_bad_input);
  tcase_add_test (tests, test_bad_masks);
  tcase_add_test (tests, test_bad_signals);
  tcase_add_test (tests, test_properties_while_playing);
  tcase_add_test (tests, test_lost_and_found);
  tcase_add_test (tests, test_regions);
  tcase_add_test (tests, test_other_features);
  runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed != 0;
}
