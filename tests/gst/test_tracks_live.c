/* rvmtrack in a stream that goes on: what is hidden and comes back, what a detector sees, features that change, and an application that
 * turns every knob meanwhile. */
#include <glib/gstdio.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <math.h>
#include <string.h>

#include "ring.h"
#include "tests/run_cases.h"

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
    if (i % 2)
      g_signal_emit_by_name (app->track, "add-point", 30.0, 40.0, &id);
    else
      g_signal_emit_by_name (app->track, "add-box", 30.0, 40.0, 20.0, 20.0, &id);
    /* Some at once, some later, some never: then there is no room, and the signals say 0. */
    g_signal_emit_by_name (app->track, "remove", i % 3 ? id : id / 2);
    g_object_set (app->overlay, "trail", i % 32, "tracks", i % 2 == 0, NULL);
    g_object_get (app->export, "frames", &frames, "location", &location, NULL);
    g_usleep (500);
  }
  return NULL;
}

/* Meant for ThreadSanitizer, true without it: ids stay ordered and unique whatever happens beside the stream. */
START_TEST (test_properties_while_playing)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack max-tracks=64 ! rvmexport location=/dev/null ! rvmoverlay mode=none");
  Application app = { .track = gst_harness_find_element (harness, "rvmtrack"), .overlay = gst_harness_find_element (harness, "rvmoverlay"),
    .export = gst_harness_find_element (harness, "rvmexport") };
  GThread *thread;
  guint highest = 0;

  gst_harness_set_src_caps_str (harness, CAPS);
  thread = g_thread_new ("application", play_with_properties, &app);
  for (guint i = 0; i < 60; i++) {
    g_autoptr (GstBuffer) buffer = ring_step (harness, i % COLUMNS, 1 + i / 20);
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
  GstHarness *harness = ring_start ("points=\"30,50\" boxes=\"20,30,40,30\" context=2 top-k=2");

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
    GstHarness *harness = ring_start (settings);
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

static char *
read_file (const char *folder, const char *name, gsize *size)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  char *content = NULL;

  ck_assert_msg (g_file_get_contents (path, &content, size, NULL), "%s cannot be read", path);
  g_unlink (path);
  return content;
}

/* What a detector or an application calls something may be of any bytes: it arrives as it is, and what is written of it is UTF-8. */
START_TEST (test_names_of_any_bytes)
{
  static const char name[] = "caf\351", name_in_json[] = "\"label\": \"caf\357\277\275\"";
  g_autofree char *folder = g_dir_make_tmp ("rvm-names-XXXXXX", NULL), *csv = NULL, *lines = NULL, *features_file = NULL;
  /* 127 bytes and then two characters of two: of the 128 bytes that are kept, the last would be half a character. */
  g_autofree char *letters = g_strnfill (126, 'a'), *model_id = g_strconcat ("\377", letters, "\303\251\303\251", NULL);
  g_autofree char *model_id_in_json = g_strconcat ("\"model_id\":\"\357\277\275", letters, "\"", NULL);
  g_autofree char *description = g_strdup_printf ("rvmtrack regions=first ! rvmexport location=\"%s/lines\" tracks-location=\"%s/csv\""
      " features-location=\"%s/features.safetensors\" ! rvmoverlay mode=none", folder, folder, folder);
  GstHarness *harness = gst_harness_new_parse (description);
  guint64 length;
  gsize size;

  gst_harness_set_src_caps_str (harness, CAPS);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *frame = ring_make_frame (i, 1, FALSE);
    GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (frame);
    g_autoptr (GstBuffer) buffer = NULL;
    const GstRvmTrackMeta *meta;

    gst_buffer_add_video_region_of_interest_meta (frame, name, 22 + i * CELL, 28, 40, 30);
    g_free (features->model_id);
    features->model_id = g_strdup (model_id);
    buffer = gst_harness_push_and_pull (harness, frame);
    meta = gst_rvm_buffer_get_track_meta (buffer);
    ck_assert_uint_eq (meta->n_tracks, 1);
    ck_assert_str_eq (g_quark_to_string (meta->tracks[0].label), name);
  }
  gst_harness_teardown (harness);

  lines = read_file (folder, "lines", &size);
  ck_assert (g_utf8_validate_len (lines, size, NULL));
  ck_assert (strstr (lines, name_in_json) != NULL);
  csv = read_file (folder, "csv", &size);
  ck_assert (size > 0 && g_utf8_validate_len (csv, size, NULL));
  features_file = read_file (folder, "features.safetensors", &size);
  ck_assert_uint_gt (size, sizeof length);
  memcpy (&length, features_file, sizeof length);
  length = GUINT64_FROM_LE (length);
  ck_assert_uint_le (length, size - sizeof length);
  ck_assert (g_utf8_validate_len (features_file + sizeof length, length, NULL));
  ck_assert (g_strstr_len (features_file + sizeof length, length, model_id_in_json) != NULL);
  g_rmdir (folder);
}
END_TEST

/* Before the first frame nobody knows how many tracks the properties will be: what the signals add beyond the limit is left out then. */
START_TEST (test_signals_before_the_first_frame)
{
  GstHarness *harness = ring_start ("points=\"30,50;40,50\" max-tracks=4");
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
  g_autoptr (GstBuffer) buffer = NULL;

  for (guint i = 1; i <= 5; i++) {
    guint id = 9;

    g_signal_emit_by_name (element, "add-point", 10.0 * i, 20.0, &id);
    ck_assert_uint_eq (id, i <= 4 ? i : 0);
  }
  buffer = ring_step (harness, 0, 1);
  ck_assert_uint_eq (gst_rvm_buffer_get_track_meta (buffer)->n_tracks, 4);
  gst_harness_teardown (harness);
}
END_TEST

/* The picture changes its size, the grid of features stays, and so does the state: tracks go on in the new pixels. */
START_TEST (test_other_size)
{
  g_autofree guint8 *pixels = g_malloc (160 * 120);
  g_autofree char *path = NULL, *settings = NULL;
  GstHarness *harness;

  ring_draw_objects (pixels, 0);
  path = ring_write_mask (160, 120, pixels, PNG_FORMAT_GRAY);
  settings = g_strdup_printf ("points=\"30,50\" boxes=\"20,30,40,30\" mask-file=\"%s\"", path);
  harness = ring_start (settings);
  for (guint i = 0; i < 6; i++) {
    const guint scale = i < 3 ? 1 : 2;
    GstBuffer *frame = ring_make_frame (i, 1, FALSE);
    g_autoptr (GstBuffer) buffer = NULL;
    g_autoptr (GBytes) mask = NULL;
    const GstRvmTrackMeta *meta;
    guint width, height;

    if (i == 3)
      gst_harness_set_src_caps_str (harness, "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1");
    if (i >= 3)
      gst_buffer_append_memory (frame, gst_allocator_alloc (NULL, 3 * 160 * 120, NULL));
    buffer = gst_harness_push_and_pull (harness, frame);
    meta = gst_rvm_buffer_get_track_meta (buffer);
    ck_assert_uint_eq (meta->n_tracks, 4);
    ck_assert_uint_eq (meta->tracks[3].id, 4);
    assert_near (meta->tracks[0].x, scale * (30 + i * CELL), 0.01);
    assert_near (meta->tracks[0].y, scale * 50, 0.01);
    assert_near (meta->tracks[1].x, scale * (20 + i * CELL), 0.01);
    assert_near (meta->tracks[1].height, scale * 30, 0.01);
    assert_near (meta->tracks[2].x, scale * (ring_objects[0][1] + i) * CELL, 1e-9);
    mask = gst_rvm_track_meta_get_mask (meta, &width, &height);
    ck_assert_uint_eq (width, scale * 160);
    ck_assert_uint_eq (height, scale * 120);
  }
  g_unlink (path);
  gst_harness_teardown (harness);
}
END_TEST

/* No features, and a grid that changes without a new state. */
START_TEST (test_other_features)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");
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

  harness = ring_start ("points=\"30,50\"");
  gst_buffer_unref (ring_step (harness, 0, 1));
  gst_buffer_unref (ring_step (harness, 1, 1));
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
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_properties_while_playing);
  tcase_add_test (tests, test_lost_and_found);
  tcase_add_test (tests, test_regions);
  tcase_add_test (tests, test_names_of_any_bytes);
  tcase_add_test (tests, test_signals_before_the_first_frame);
  tcase_add_test (tests, test_other_size);
  tcase_add_test (tests, test_other_features);
  return run_cases ("tracks while playing", tests);
}
