/* Features and tracks on their way through other elements, and as bytes: they stay, follow a change of scale, and are dropped, not wrong, after
 * a cut or a turn. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"
#include "tests/run_cases.h"

static char *mask_file;

static GstHarness *
start (const char *elements)
{
  g_autofree char *launch = g_strdup_printf ("rvmtrack colours=0 place=0 refine=0 points=\"30,50\" boxes=\"20,30,40,30\" mask-file=\"%s\" ! %s", mask_file, elements);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, CAPS);
  return harness;
}

/* All that was put on a frame, @across and @along being the change of scale. */
static void
check_whole (GstBuffer *buffer, const char *elements, double across, double along)
{
  const GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (buffer);
  const GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (buffer);
  guint width, height;
  g_autoptr (GBytes) mask = NULL;

  ck_assert_msg (features && tracks, "%s: no %s", elements, features ? "tracks" : "features");
  ck_assert_uint_eq (features->rows, ROWS);
  ck_assert_uint_eq (features->columns, COLUMNS);
  ck_assert_uint_eq (g_bytes_get_size (features->data), ROWS * COLUMNS * DIM * sizeof (float));
  ck_assert_uint_eq (features->generation, 1);
  ck_assert_str_eq (features->model_id, "made here");
  ck_assert_uint_eq (features->frame_width, 160 * across);
  ck_assert_uint_eq (features->frame_height, 120 * along);
  ck_assert_uint_eq (tracks->n_tracks, 4);
  /* Frame 0 or, for elements that keep frames back, a later one of the turning ring. */
  {
    const double turned = round ((tracks->tracks[0].x / across - 30) / CELL) * CELL;

    assert_near (tracks->tracks[0].x, (30 + turned) * across, 0.01);
    assert_near (tracks->tracks[0].y, 50 * along, 0.01);
    assert_near (tracks->tracks[1].x, (20 + turned) * across, 0.01);
    assert_near (tracks->tracks[1].y, 30 * along, 0.01);
    assert_near (tracks->tracks[1].width, 40 * across, 0.01);
    assert_near (tracks->tracks[1].height, 30 * along, 0.01);
    assert_near (tracks->tracks[2].x, (ring_objects[0][1] * CELL + turned) * across, 0.01);
  }
  mask = gst_rvm_track_meta_get_mask (tracks, &width, &height);
  ck_assert_ptr_ne (mask, NULL);
  ck_assert_uint_eq (width, 160);
  ck_assert_uint_eq (height, 120);
}

/* Pushes frames through @elements and checks each that comes out. */
static void
pass_through (const char *elements, double across, double along)
{
  GstHarness *harness = start (elements);
  GstBuffer *buffer;
  guint seen = 0;

  for (guint i = 0; i < 4; i++)
    ck_assert_int_eq (gst_harness_push (harness, ring_make_frame (i, 1, FALSE)), GST_FLOW_OK);
  gst_harness_push_event (harness, gst_event_new_eos ());
  /* Queues have threads. */
  while ((buffer = gst_harness_try_pull (harness)) || (seen < 3 && (buffer = gst_harness_pull (harness)))) {
    check_whole (buffer, elements, across, along);
    gst_buffer_unref (buffer);
    seen++;
  }
  ck_assert_msg (seen >= 3, "%s: %u frames", elements, seen);
  gst_harness_teardown (harness);
}

START_TEST (test_they_survive)
{
  static const char *const elements[] = { "videoconvert ! capsfilter caps=video/x-raw,format=I420", "queue", "videorate ! capsfilter caps=video/x-raw,framerate=50/1",
    "videorate ! capsfilter caps=video/x-raw,framerate=25/1", "tee name=t t. ! queue ! fakesink t. ! queue", "jpegenc",
    "videoconvert ! vp8enc deadline=1 ! identity", "identity", "rvmoverlay mode=none" };

  for (guint i = 0; i < G_N_ELEMENTS (elements); i++)
    pass_through (elements[i], 1, 1);
}
END_TEST

START_TEST (test_they_follow_the_scale)
{
  pass_through ("videoscale ! capsfilter caps=video/x-raw,width=80,height=240", 0.5, 2);
  pass_through ("videoconvertscale ! capsfilter caps=video/x-raw,format=RGB,width=320,height=60", 2, 0.5);
  pass_through ("videoscale ! capsfilter caps=video/x-raw,width=80,height=60 ! videoscale ! capsfilter caps=video/x-raw,width=320,height=240", 2, 2);
}
END_TEST

START_TEST (test_they_are_dropped_not_wrong)
{
  static const char *const elements[] = { "videocrop left=10", "videobox left=10", "videobox left=-10",
    "aspectratiocrop aspect-ratio=1/1" };

  for (guint i = 0; i < G_N_ELEMENTS (elements); i++) {
    GstHarness *harness = start (elements[i]);
    g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (harness, ring_make_frame (0, 1, FALSE));

    ck_assert_ptr_ne (buffer, NULL);
    ck_assert_msg (gst_rvm_buffer_get_feature_meta (buffer) == NULL, "features after %s", elements[i]);
    ck_assert_msg (gst_rvm_buffer_get_track_meta (buffer) == NULL, "tracks after %s", elements[i]);
    gst_harness_teardown (harness);
  }
  /* A part of a buffer is not the picture either. */
  {
    GstHarness *harness = start ("identity");
    g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (harness, ring_make_frame (0, 1, FALSE));
    g_autoptr (GstBuffer) part = gst_buffer_copy_region (buffer, GST_BUFFER_COPY_ALL, 0, 160 * 60);

    ck_assert_ptr_eq (gst_rvm_buffer_get_feature_meta (part), NULL);
    ck_assert_ptr_eq (gst_rvm_buffer_get_track_meta (part), NULL);
    gst_harness_teardown (harness);
  }
}
END_TEST

START_TEST (test_bytes)
{
  GstHarness *harness = start ("identity");
  g_autoptr (GstBuffer) buffer = gst_buffer_make_writable (gst_harness_push_and_pull (harness, ring_make_frame (0, 1, FALSE)));
  g_autoptr (GstBuffer) other = gst_buffer_new ();
  GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (buffer), *same;
  GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (buffer), *same_tracks;
  g_autoptr (GBytes) bytes = NULL, track_bytes = NULL, mask = NULL, same_mask = NULL;

  features->frames_since_reset = 17;
  features->update_pts = 12345678901234;
  features->restored = TRUE;
  features->restored_age = 99;
  features->carried_count = 3;
  features->dropped_count = 2;
  features->analysis_width = 256;
  features->encoder = g_strdup ("");
  features->source = G_MAXINT64;
  features->update = 21;
  tracks->tracks[1].label = g_quark_from_static_string ("caf\303\251");
  bytes = gst_rvm_feature_meta_to_bytes (features);
  track_bytes = gst_rvm_track_meta_to_bytes (tracks);
  same = gst_rvm_buffer_add_feature_meta_from_bytes (other, bytes);
  ck_assert_ptr_ne (same, NULL);
  ck_assert (g_bytes_equal (same->data, features->data));
  ck_assert_str_eq (same->model_id, features->model_id);
  ck_assert (same->generation == features->generation && same->frames_since_reset == 17 && same->update_pts == features->update_pts);
  ck_assert (same->carried == features->carried && same->restored && same->restored_pts == features->restored_pts);
  ck_assert (same->restored_age == 99 && same->carried_count == 3 && same->dropped_count == 2);
  ck_assert (same->frame_width == features->frame_width && same->frame_height == features->frame_height);
  ck_assert (same->analysis_width == 256 && same->analysis_height == features->analysis_height && same->parts == features->parts);
  /* A text that is empty and one that is not there are two things. */
  ck_assert_str_eq (same->encoder, "");
  ck_assert_ptr_eq (same->stream_id, NULL);
  ck_assert (same->source == G_MAXINT64 && same->update == 21);
  same_tracks = gst_rvm_buffer_add_track_meta_from_bytes (other, track_bytes);
  ck_assert_ptr_ne (same_tracks, NULL);
  ck_assert_uint_eq (same_tracks->n_tracks, tracks->n_tracks);
  for (guint i = 0; i < tracks->n_tracks; i++) {
    const GstRvmTrack *a = &tracks->tracks[i], *b = &same_tracks->tracks[i];

    ck_assert (a->id == b->id && a->kind == b->kind && a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height
        && a->confidence == b->confidence && a->visible == b->visible && a->first_seen == b->first_seen && a->last_seen == b->last_seen
        && a->mask_value == b->mask_value && a->label == b->label);
  }
  mask = gst_rvm_track_meta_get_mask (tracks, NULL, NULL);
  same_mask = gst_rvm_track_meta_get_mask (same_tracks, NULL, NULL);
  ck_assert (g_bytes_equal (mask, same_mask));
  /* Cut anywhere, or with another byte: refused, or read without harm. */
  for (gsize size = 0; size < g_bytes_get_size (track_bytes); size++) {
    g_autoptr (GBytes) cut = g_bytes_new (g_bytes_get_data (track_bytes, NULL), size);
    ck_assert_ptr_eq (gst_rvm_buffer_add_track_meta_from_bytes (other, cut), NULL);
  }
  for (gsize size = 0; size < 256; size++) {
    g_autoptr (GBytes) cut = g_bytes_new (g_bytes_get_data (bytes, NULL), size);
    ck_assert_ptr_eq (gst_rvm_buffer_add_feature_meta_from_bytes (other, cut), NULL);
  }
  for (gsize at = 0; at < 256; at++) {
    g_autofree guint8 *changed = g_memdup2 (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
    g_autoptr (GBytes) wrong = NULL;
    changed[at] ^= 0xff;
    wrong = g_bytes_new (changed, g_bytes_get_size (bytes));
    gst_rvm_buffer_add_feature_meta_from_bytes (other, wrong);
  }
  for (gsize at = 0; at < g_bytes_get_size (track_bytes); at++) {
    g_autofree guint8 *changed = g_memdup2 (g_bytes_get_data (track_bytes, NULL), g_bytes_get_size (track_bytes));
    g_autoptr (GBytes) wrong = NULL;
    changed[at] ^= 0xff;
    wrong = g_bytes_new (changed, g_bytes_get_size (track_bytes));
    gst_rvm_buffer_add_track_meta_from_bytes (other, wrong);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* Names that are not UTF-8 lose nothing but the bytes that are none. */
START_TEST (test_names_in_bytes)
{
  GstHarness *harness = start ("identity");
  g_autoptr (GstBuffer) buffer = gst_buffer_make_writable (gst_harness_push_and_pull (harness, ring_make_frame (0, 1, FALSE)));
  g_autoptr (GstBuffer) other = gst_buffer_new ();
  GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (buffer), *same;
  GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (buffer), *same_tracks;
  g_autoptr (GBytes) bytes = NULL, track_bytes = NULL;

  g_free (features->model_id);
  features->model_id = g_strdup ("mod\350le");
  tracks->tracks[0].label = g_quark_from_static_string ("caf\351");
  bytes = gst_rvm_feature_meta_to_bytes (features);
  track_bytes = gst_rvm_track_meta_to_bytes (tracks);
  same = gst_rvm_buffer_add_feature_meta_from_bytes (other, bytes);
  same_tracks = gst_rvm_buffer_add_track_meta_from_bytes (other, track_bytes);
  ck_assert (same && same_tracks);
  ck_assert_str_eq (same->model_id, "mod\357\277\275le");
  ck_assert_uint_eq (same_tracks->n_tracks, tracks->n_tracks);
  ck_assert_str_eq (g_quark_to_string (same_tracks->tracks[0].label), "caf\357\277\275");
  gst_harness_teardown (harness);
}
END_TEST

static void
write_mask_file (void)
{
  g_autofree guint8 *pixels = g_malloc (160 * 120);

  ring_draw_objects (pixels, 0);
  mask_file = ring_write_mask (160, 120, pixels, PNG_FORMAT_GRAY);
}

static void
remove_mask_file (void)
{
  unlink (mask_file);
  g_clear_pointer (&mask_file, g_free);
}

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_unchecked_fixture (tests, write_mask_file, remove_mask_file);
  tcase_add_test (tests, test_they_survive);
  tcase_add_test (tests, test_they_follow_the_scale);
  tcase_add_test (tests, test_they_are_dropped_not_wrong);
  tcase_add_test (tests, test_bytes);
  tcase_add_test (tests, test_names_in_bytes);
  return run_cases ("metadata", tests);
}
