/* Which frame, which stream, which encoder: what rvmtrack and rvmoverlay make of features that say so. The features are made here, so that the
 * truth is known. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <math.h>
#include <string.h>

#include "gstrvmfeatures.h"
#include "ring.h"
#include "tests/run_cases.h"

#define SOURCE 0x1234567890abcdef
#define OTHER 0x1234567890abcdee

/* Frame @index of the ring as the @update-th analysed frame of @source, found by @encoder. */
static GstBuffer *
make_frame (guint index, const char *encoder, guint64 source, guint64 update)
{
  GstBuffer *buffer = ring_make_frame (index, 1, FALSE);
  GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);

  meta->encoder = g_strdup (encoder);
  meta->source = source;
  meta->update = update;
  meta->frames_since_reset = update;
  return buffer;
}

static GstBuffer *
push (GstHarness *harness, guint index, guint64 source, guint64 update)
{
  GstBuffer *buffer = gst_harness_push_and_pull (harness, make_frame (index, "one", source, update));

  ck_assert_ptr_ne (buffer, NULL);
  return buffer;
}

/* The only track of @buffer must have the id @id and be where it was @turned patches ago. */
static void
check_track (GstBuffer *buffer, guint id, guint turned)
{
  const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);

  ck_assert_ptr_ne (meta, NULL);
  ck_assert_uint_eq (meta->n_tracks, 1);
  ck_assert_uint_eq (meta->tracks[0].id, id);
  assert_near (meta->tracks[0].x, 30 + CELL * turned, 0.01);
}

static void
check_push (GstHarness *harness, guint index, guint64 source, guint64 update, guint id, guint turned)
{
  g_autoptr (GstBuffer) buffer = push (harness, index, source, update);

  check_track (buffer, id, turned);
}

/* The same frame again, as videorate repeats it: nothing changes, not even when it was seen last. */
START_TEST (test_repeated_frames)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");

  check_push (harness, 0, SOURCE, 1, 1, 0);
  check_push (harness, 1, SOURCE, 2, 1, 1);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *frame = make_frame (1, "one", SOURCE, 2);
    g_autoptr (GstBuffer) repeated = NULL;

    GST_BUFFER_PTS (frame) += (1 + i) * 10 * GST_MSECOND;
    repeated = gst_harness_push_and_pull (harness, frame);
    check_track (repeated, 1, 1);
    ck_assert_uint_eq (gst_rvm_buffer_get_track_meta (repeated)->tracks[0].last_seen, 40 * GST_MSECOND);
    ck_assert_uint_eq (gst_rvm_buffer_get_track_meta (repeated)->update, 2);
  }
  check_push (harness, 2, SOURCE, 3, 1, 2);
  /* Frames that were dropped on the way: the next one goes on. */
  check_push (harness, 4, SOURCE, 7, 1, 4);
  gst_harness_teardown (harness);
}
END_TEST

/* The analysed frame is lost (a leaky queue), the next buffer carries its features: they are new here, and followed. */
START_TEST (test_carried_of_a_lost_frame)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");
  GstBuffer *frame = make_frame (2, "one", SOURCE, 3);
  g_autoptr (GstBuffer) carried = NULL;

  check_push (harness, 0, SOURCE, 1, 1, 0);
  check_push (harness, 1, SOURCE, 2, 1, 1);
  gst_rvm_buffer_get_feature_meta (frame)->carried = TRUE;
  carried = gst_harness_push_and_pull (harness, frame);
  check_track (carried, 1, 2);
  /* And as the first frame of all. */
  gst_harness_teardown (harness);
  harness = ring_start ("points=\"30,50\"");
  frame = make_frame (2, "one", SOURCE, 3);
  gst_rvm_buffer_get_feature_meta (frame)->carried = TRUE;
  gst_clear_buffer (&carried);
  carried = gst_harness_push_and_pull (harness, frame);
  check_track (carried, 1, 0);
  gst_harness_teardown (harness);
}
END_TEST

/* Two sources whose counters are alike, as two cameras behind a selector: each turn ends the tracks. */
START_TEST (test_other_source)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");

  check_push (harness, 0, SOURCE, 1, 1, 0);
  check_push (harness, 1, SOURCE, 2, 1, 1);
  check_push (harness, 5, OTHER, 3, 2, 0);
  check_push (harness, 6, OTHER, 4, 2, 1);
  check_push (harness, 8, SOURCE, 5, 3, 0);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_step_back)
{
  GstHarness *harness = ring_start ("points=\"30,50\"");

  check_push (harness, 0, SOURCE, 1, 1, 0);
  check_push (harness, 1, SOURCE, 2, 1, 1);
  check_push (harness, 0, SOURCE, 1, 2, 0);
  check_push (harness, 1, SOURCE, 2, 2, 1);
  gst_harness_teardown (harness);
}
END_TEST

/* Another stream ends the tracks, also where the source is unknown; the same stream once more does not. */
START_TEST (test_stream_start)
{
  static const guint64 sources[] = { SOURCE, 0 };

  for (guint i = 0; i < G_N_ELEMENTS (sources); i++) {
    GstHarness *harness = ring_start ("points=\"30,50\"");

    gst_harness_push_event (harness, gst_event_new_stream_start ("first"));
    check_push (harness, 0, sources[i], 1, 1, 0);
    gst_harness_push_event (harness, gst_event_new_stream_start ("first"));
    check_push (harness, 1, sources[i], 2, 1, 1);
    gst_harness_push_event (harness, gst_event_new_stream_start ("second"));
    check_push (harness, 2, sources[i], 3, 2, 0);
    check_push (harness, 3, sources[i], 4, 2, 1);
    gst_harness_teardown (harness);
  }
}
END_TEST

/* What a track meta says of itself, and what a change of scale leaves of it. */
START_TEST (test_tracks_say_where_they_come_from)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack colours=0 place=0 refine=0 name=follower points=\"30,50\" ! videoscale ! capsfilter caps=video/x-raw,width=80,height=240");
  g_autoptr (GstBuffer) buffer = NULL, copy = NULL;
  const GstRvmTrackMeta *meta;

  gst_harness_set_src_caps_str (harness, CAPS);
  buffer = push (harness, 0, SOURCE, 5);
  copy = gst_buffer_copy (buffer);
  meta = gst_rvm_buffer_get_track_meta (copy);
  ck_assert_str_eq (meta->tracker, "follower");
  ck_assert_str_eq (meta->encoder, "one");
  ck_assert (meta->source == SOURCE && meta->update == 5);
  ck_assert_uint_eq (meta->frame_width, 80);
  ck_assert_uint_eq (meta->frame_height, 240);
  gst_harness_teardown (harness);
}
END_TEST

/* The parts of one warning; NULL: none. */
static void
check_warning (GstBus *bus, const char *part, const char *other)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  g_autoptr (GError) error = NULL;

  if (part == NULL) {
    ck_assert_ptr_eq (message, NULL);
    return;
  }
  ck_assert_msg (message != NULL, "no warning of '%s'", part);
  gst_message_parse_warning (message, &error, NULL);
  ck_assert_msg (strstr (error->message, part) && strstr (error->message, other), "'%s' does not say '%s' and '%s'", error->message, part, other);
}

/* Frame @index with the features of two encoders, of which the second sees the ring @shift patches further. */
static GstBuffer *
make_two (guint index, guint shift)
{
  GstBuffer *buffer = make_frame (index, "one", SOURCE, 1 + index);
  g_autoptr (GstBuffer) other = make_frame (index + shift, "two", OTHER, 1 + index);
  g_autoptr (GstRvmFeatures) features = gst_rvm_buffer_get_features (other, "two");

  gst_rvm_buffer_add_features (buffer, features);
  return buffer;
}

START_TEST (test_two_encoders)
{
  static const struct {
    const char *settings, *encoder, *warning, *other;
  } cases[] = {
    { "", "two", "one, two", "encoder" }, { "encoder=one", "one", NULL, NULL }, { "encoder=two", "two", NULL, NULL },
    { "encoder=three", NULL, "three", "one, two" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *settings = g_strdup_printf ("points=\"30,50\" %s", cases[i].settings);
    GstHarness *harness = ring_start (settings);
    g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
    g_autoptr (GstBus) bus = gst_bus_new ();

    gst_element_set_bus (element, bus);
    for (guint f = 0; f < 4; f++) {
      g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (harness, make_two (f, f));
      const GstRvmTrackMeta *meta = gst_rvm_buffer_get_track_meta (buffer);

      ck_assert_int_eq (meta != NULL, cases[i].encoder != NULL);
      if (meta == NULL)
        continue;
      ck_assert_str_eq (meta->encoder, cases[i].encoder);
      /* The second's world turns twice as fast. */
      assert_near (meta->tracks[0].x, 30 + CELL * f * (g_str_equal (cases[i].encoder, "two") ? 2 : 1), 0.01);
    }
    /* Said once, at the end as well. */
    gst_harness_push_event (harness, gst_event_new_eos ());
    check_warning (bus, cases[i].warning, cases[i].other);
    check_warning (bus, NULL, NULL);
    gst_element_set_bus (element, NULL);
    gst_harness_teardown (harness);
  }
}
END_TEST

/* Getters: the nearest, or the one that is named. */
START_TEST (test_getters)
{
  GstHarness *harness = gst_harness_new_parse ("rvmtrack colours=0 place=0 refine=0 name=a encoder=one points=\"30,50\" ! rvmtrack colours=0 place=0 name=b encoder=two points=\"40,50;50,50\""
                                               " ! rvmtrack colours=0 place=0 refine=0 name=c encoder=one points=\"60,50;70,50;80,50\"");
  g_autoptr (GstBuffer) buffer = NULL;

  gst_harness_set_src_caps_str (harness, CAPS);
  buffer = gst_harness_push_and_pull (harness, make_two (0, 1));
  ck_assert_str_eq (gst_rvm_buffer_get_feature_meta (buffer)->encoder, "two");
  ck_assert (gst_rvm_buffer_get_feature_meta_from (buffer, NULL) == gst_rvm_buffer_get_feature_meta (buffer));
  ck_assert (gst_rvm_buffer_get_feature_meta_from (buffer, "one")->source == SOURCE);
  ck_assert_ptr_eq (gst_rvm_buffer_get_feature_meta_from (buffer, "three"), NULL);
  ck_assert_ptr_eq (gst_rvm_buffer_get_features (buffer, "three"), NULL);
  ck_assert_str_eq (gst_rvm_buffer_get_track_meta (buffer)->tracker, "c");
  ck_assert_str_eq (gst_rvm_buffer_get_track_meta_from (buffer, "two", NULL)->tracker, "b");
  ck_assert_str_eq (gst_rvm_buffer_get_track_meta_from (buffer, NULL, "a")->tracker, "a");
  ck_assert_ptr_eq (gst_rvm_buffer_get_track_meta_from (buffer, "two", "a"), NULL);
  ck_assert_ptr_eq (gst_rvm_buffer_get_tracks (buffer, "three", NULL), NULL);
  {
    g_autoptr (GstRvmTracks) nearest = gst_rvm_buffer_get_tracks (buffer, NULL, NULL), of_b = gst_rvm_buffer_get_tracks (buffer, "two", "b");
    g_autoptr (GstRvmFeatures) features = gst_rvm_buffer_get_features (buffer, "one");

    ck_assert_uint_eq (nearest->n_tracks, 3);
    ck_assert_uint_eq (of_b->n_tracks, 2);
    ck_assert (features->source == SOURCE);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* The pixels of a grey picture that are not what they were, in columns @from to @to. */
static guint
count_drawn (GstBuffer *buffer, guint from, guint to)
{
  GstMapInfo map;
  guint drawn = 0;

  gst_buffer_map (buffer, &map, GST_MAP_READ);
  for (guint y = 0; y < 120; y++)
    for (guint x = from; x < to; x++)
      drawn += map.data[y * 160 + x] != 77;
  gst_buffer_unmap (buffer, &map);
  return drawn;
}

/* A grey frame with a point at @x, found by @tracker on the @update-th frame of @source. */
static GstBuffer *
make_tracked (const char *tracker, guint64 source, guint64 update, double x)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 160 * 120, NULL);
  const GstRvmTrack track = { .id = 1, .kind = GST_RVM_TRACK_POINT, .x = x, .y = 60, .confidence = 1, .visible = TRUE };
  GstRvmTrackMeta *meta = gst_rvm_buffer_add_track_meta (buffer, &track, 1);

  gst_buffer_memset (buffer, 0, 77, 160 * 120);
  meta->tracker = g_strdup (tracker);
  meta->encoder = g_strdup ("one");
  meta->source = source;
  meta->update = update;
  return buffer;
}

/* Pixels of the trail that a point leaves between 30 and 90 after it went on to 130. */
static guint
draw_trail (GstHarness *harness, const char *tracker, guint64 source, guint64 update)
{
  g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (harness, make_tracked (tracker, source, update, 130));

  return count_drawn (buffer, 30, 90);
}

START_TEST (test_trails)
{
  GstHarness *harness = gst_harness_new_parse ("rvmoverlay mode=none trail=2");

  gst_harness_set_src_caps_str (harness, CAPS);
  gst_buffer_unref (gst_harness_push_and_pull (harness, make_tracked ("a", SOURCE, 1, 30)));
  /* A repeated frame makes the trail no longer: it still goes back two frames. */
  for (guint i = 0; i < 5; i++)
    gst_buffer_unref (gst_harness_push_and_pull (harness, make_tracked ("a", SOURCE, 1, 30)));
  ck_assert_uint_gt (draw_trail (harness, "a", SOURCE, 2), 0);
  for (guint i = 0; i < 5; i++)
    ck_assert_uint_gt (draw_trail (harness, "a", SOURCE, 2), 0);
  ck_assert_uint_gt (draw_trail (harness, "a", SOURCE, 3), 0);
  ck_assert_uint_eq (draw_trail (harness, "a", SOURCE, 4), 0);

  /* The same id by another tracker, of another source, and in another stream is another track. */
  for (guint i = 0; i < 3; i++) {
    gst_buffer_unref (gst_harness_push_and_pull (harness, make_tracked ("a", SOURCE, 10 + 2 * i, 30)));
    if (i == 2) {
      gst_harness_push_event (harness, gst_event_new_stream_start ("another"));
    }
    ck_assert_uint_eq (draw_trail (harness, i == 0 ? "b" : "a", i == 1 ? OTHER : SOURCE, 11 + 2 * i), 0);
  }
  /* Where nobody says which frame it is, every frame is one. */
  gst_buffer_unref (gst_harness_push_and_pull (harness, make_tracked (NULL, 0, 0, 30)));
  ck_assert_uint_gt (draw_trail (harness, NULL, 0, 0), 0);
  ck_assert_uint_gt (draw_trail (harness, NULL, 0, 0), 0);
  ck_assert_uint_eq (draw_trail (harness, NULL, 0, 0), 0);
  gst_harness_teardown (harness);
}
END_TEST

/* Two rvmtrack behind one rvmencode, whose ids clash. */
START_TEST (test_two_trackers)
{
  static const struct {
    const char *settings;
    gboolean left, right;
    const char *warning, *other;
  } cases[] = {
    { "", FALSE, TRUE, "left after one, right after one", "tracker" },
    { "tracker=left", TRUE, FALSE, NULL, NULL },
    { "tracker=right", FALSE, TRUE, NULL, NULL },
    /* The encoder does not say which of the two. */
    { "encoder=one", FALSE, TRUE, "left after one, right after one", "tracker" },
    { "tracker=nobody", FALSE, FALSE, "nobody", "left after one" },
    { "encoder=nobody", FALSE, FALSE, "nobody", "left after one" },
    { "tracks=false", FALSE, FALSE, NULL, NULL },
    /* Both, one behind the other. */
    { "tracker=left ! rvmoverlay mode=none tracker=right", TRUE, TRUE, NULL, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *launch = g_strdup_printf ("rvmoverlay mode=none %s", cases[i].settings);
    GstHarness *harness = gst_harness_new_parse (launch);
    g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmoverlay");
    g_autoptr (GstBus) bus = gst_bus_new ();

    gst_element_set_bus (element, bus);
    gst_harness_set_src_caps_str (harness, CAPS);
    for (guint f = 0; f < 3; f++) {
      GstBuffer *frame = make_tracked ("left", SOURCE, 1 + f, 30);
      g_autoptr (GstBuffer) other = make_tracked ("right", SOURCE, 1 + f, 130), buffer = NULL;
      g_autoptr (GstRvmTracks) tracks = gst_rvm_buffer_get_tracks (other, NULL, NULL);

      gst_rvm_buffer_add_tracks (frame, tracks);
      buffer = gst_harness_push_and_pull (harness, frame);
      ck_assert_int_eq (count_drawn (buffer, 0, 60) > 0, cases[i].left);
      ck_assert_int_eq (count_drawn (buffer, 100, 160) > 0, cases[i].right);
    }
    check_warning (bus, cases[i].warning, cases[i].other);
    check_warning (bus, NULL, NULL);
    gst_element_set_bus (element, NULL);
    gst_harness_teardown (harness);
  }
}
END_TEST

/* An rvmoverlay of features with @settings. */
static GstHarness *
start_overlay (const char *settings)
{
  g_autofree char *launch = g_strdup_printf ("rvmoverlay alpha=1 %s", settings);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, CAPS);
  return harness;
}

/* How bright the patch at @column, @row becomes. */
static guint
show (GstHarness *harness, guint index, guint64 source, guint64 update, guint column, guint row)
{
  g_autoptr (GstBuffer) buffer = push (harness, index, source, update);
  guint8 level = 0;

  gst_buffer_extract (buffer, (row * CELL + CELL / 2) * 160 + column * CELL + CELL / 2, &level, 1);
  return level;
}

#define assert_dark(level) ck_assert_uint_lt (level, 90)
#define assert_bright(level) ck_assert_uint_gt (level, 150)

/* mode=change: the ring turns, so each patch is another on each frame. */
START_TEST (test_change_of_repeated_frames)
{
  GstHarness *harness = start_overlay ("mode=change gain=1");

  assert_dark (show (harness, 0, SOURCE, 1, 5, 5));
  assert_bright (show (harness, 1, SOURCE, 2, 5, 5));
  /* Repeated, it differs from the same frame as before. */
  assert_bright (show (harness, 1, SOURCE, 2, 5, 5));
  assert_bright (show (harness, 2, SOURCE, 3, 5, 5));
  /* Of another source and another stream there is no frame before. */
  assert_dark (show (harness, 5, OTHER, 4, 5, 5));
  assert_bright (show (harness, 6, OTHER, 5, 5, 5));
  gst_harness_push_event (harness, gst_event_new_stream_start ("another"));
  assert_dark (show (harness, 7, OTHER, 6, 5, 5));
  gst_harness_teardown (harness);
}
END_TEST

/* mode=similarity with hold: what is held belongs to a source. */
START_TEST (test_held_patch)
{
  GstHarness *harness = start_overlay ("mode=similarity hold=true x=0.34 y=0.46"); /* column 5, row 5 */

  assert_bright (show (harness, 0, SOURCE, 1, 5, 5));
  assert_dark (show (harness, 1, SOURCE, 2, 5, 5));
  assert_bright (show (harness, 1, SOURCE, 2, 6, 5));
  assert_bright (show (harness, 3, OTHER, 1, 5, 5));
  assert_bright (show (harness, 4, OTHER, 2, 6, 5));
  gst_harness_push_event (harness, gst_event_new_stream_start ("another"));
  assert_bright (show (harness, 5, OTHER, 3, 5, 5));
  gst_harness_teardown (harness);
}
END_TEST

/* The frames on which principal components are fitted are different ones. */
START_TEST (test_fit_of_repeated_frames)
{
  GstHarness *harness = start_overlay ("fit-frames=2"), *plain = start_overlay ("fit-frames=2");
  g_autoptr (GstBuffer) shown = NULL, expected = NULL;
  GstMapInfo map;

  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (push (harness, 0, SOURCE, 1));
  gst_buffer_unref (push (plain, 0, SOURCE, 1));
  for (guint i = 1; i < 3; i++) {
    gst_clear_buffer (&shown);
    gst_clear_buffer (&expected);
    shown = push (harness, 3 * i, SOURCE, 1 + i);
    expected = push (plain, 3 * i, SOURCE, 1 + i);
  }
  gst_buffer_map (expected, &map, GST_MAP_READ);
  ck_assert_int_eq (gst_buffer_memcmp (shown, 0, map.data, map.size), 0);
  gst_buffer_unmap (expected, &map);
  gst_harness_teardown (harness);
  gst_harness_teardown (plain);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_repeated_frames);
  tcase_add_test (tests, test_carried_of_a_lost_frame);
  tcase_add_test (tests, test_other_source);
  tcase_add_test (tests, test_step_back);
  tcase_add_test (tests, test_stream_start);
  tcase_add_test (tests, test_tracks_say_where_they_come_from);
  tcase_add_test (tests, test_two_encoders);
  tcase_add_test (tests, test_getters);
  tcase_add_test (tests, test_trails);
  tcase_add_test (tests, test_two_trackers);
  tcase_add_test (tests, test_change_of_repeated_frames);
  tcase_add_test (tests, test_held_patch);
  tcase_add_test (tests, test_fit_of_repeated_frames);
  return run_cases ("identity", tests);
}
