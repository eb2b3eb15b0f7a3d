/* What rvmencode says of where features come from: its name, the stream, the source and the update; and which caps begin another picture. */
#include "gstrvmfeatures.h"
#include "harness.h"

static GstRvmFeatures *
features_of_step (GstHarness *harness, guint index)
{
  g_autoptr (GstBuffer) buffer = step (harness, index, index);
  GstRvmFeatures *features = gst_rvm_buffer_get_features (buffer, NULL);

  ck_assert_ptr_ne (features, NULL);
  return features;
}

static void
begin_stream (GstHarness *harness, const char *id)
{
  ck_assert (gst_harness_push_event (harness, gst_event_new_stream_start (id)));
}

START_TEST (test_updates_are_counted)
{
  GstHarness *harness = start ("name=middle interval=1", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  guint64 source = 0;

  for (guint i = 0; i < 8; i++) {
    g_autoptr (GstRvmFeatures) features = NULL;

    if (i == 4) /* a reset, of which the count takes no notice */
      g_signal_emit_by_name (element, "reset-state");
    features = features_of_step (harness, i);
    if (i == 0)
      source = features->source;
    ck_assert_str_eq (features->encoder, "middle");
    ck_assert (features->source == source && source != 0 && source <= G_MAXINT64);
    ck_assert_uint_eq (features->update, 1 + i / 2);
    ck_assert_int_eq (features->carried, i % 2);
    ck_assert_uint_eq (features->generation, i < 4 ? 1 : 2);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* A source for each start of each element and each stream. */
START_TEST (test_sources_differ)
{
  g_autoptr (GHashTable) sources = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  for (guint i = 0; i < 4; i++) {
    GstHarness *harness = start (i % 2 ? "reset-on=0" : "", CAPS);

    for (guint stream = 0; stream < 3; stream++) {
      g_autofree char *id = g_strdup_printf ("stream %u", stream);
      guint64 source = 0;

      begin_stream (harness, id);
      for (guint f = 0; f < 3; f++) {
        g_autoptr (GstRvmFeatures) features = NULL;

        if (f == 1) /* it is the same stream */
          begin_stream (harness, id);
        features = features_of_step (harness, f);
        ck_assert_str_eq (features->stream_id, id);
        ck_assert_uint_eq (features->update, 1 + f);
        ck_assert (f == 0 || features->source == source);
        source = features->source;
      }
      ck_assert (g_hash_table_add (sources, g_memdup2 (&source, sizeof source)));
    }
    gst_harness_teardown (harness);
  }
  ck_assert_uint_eq (g_hash_table_size (sources), 12);
}
END_TEST

/* Stopped and started again, the element is another source, whose count begins again. */
START_TEST (test_started_again)
{
  GstHarness *harness = start ("", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstRvmFeatures) before = features_of_step (harness, 0), after = NULL;
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  ck_assert_int_ne (gst_element_set_state (element, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  ck_assert_int_ne (gst_element_set_state (element, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  begin_stream (harness, before->stream_id);
  gst_harness_set_src_caps_str (harness, CAPS);
  gst_harness_push_event (harness, gst_event_new_segment (&segment));
  after = features_of_step (harness, 0);
  ck_assert_str_eq (after->stream_id, before->stream_id);
  ck_assert (after->source != before->source);
  ck_assert_uint_eq (after->update, 1);
  gst_harness_teardown (harness);
}
END_TEST

/* No frame carries features of another stream's picture, also where the state goes on. */
START_TEST (test_nothing_is_carried_across_streams)
{
  GstHarness *harness = start ("reset-on=0 interval=3", CAPS);

  for (guint i = 0; i < 6; i++) {
    g_autoptr (GstRvmFeatures) features = NULL;

    if (i == 2)
      begin_stream (harness, "another");
    features = features_of_step (harness, i);
    ck_assert_int_eq (features->carried, i != 0 && i != 2);
    ck_assert_uint_eq (features->update, 1);
    ck_assert_uint_eq (features->generation, 1);
    ck_assert_uint_eq (features->frames_since_reset, i < 2 ? 1 : 2);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* Only caps that change the picture reset the state. */
START_TEST (test_caps_that_change_the_picture)
{
  static const struct {
    const char *caps;
    gboolean resets;
  } cases[] = {
    { "format=RGB,width=64,height=48,framerate=25/1", FALSE },
    { "format=RGB,width=64,height=48,framerate=50/1", FALSE },
    { "format=RGB,width=64,height=48,framerate=0/1", FALSE },
    { "format=RGB,width=64,height=48,framerate=0/1,max-framerate=60/1", FALSE },
    { "format=RGB,width=64,height=48", FALSE },
    { "format=RGB,width=64,height=48,framerate=25/1,interlace-mode=progressive,pixel-aspect-ratio=1/1", FALSE },
    { "format=BGR,width=64,height=48,framerate=25/1", TRUE },
    { "format=RGB,width=48,height=64,framerate=25/1", TRUE },
    { "format=RGB,width=64,height=48,framerate=25/1,pixel-aspect-ratio=2/1", TRUE },
    { "format=RGB,width=64,height=48,framerate=25/1,interlace-mode=interleaved", TRUE },
    { "format=RGB,width=64,height=48,framerate=25/1,colorimetry=1:1:5:1", TRUE },
    { "format=RGB,width=64,height=48,framerate=25/1,multiview-mode=side-by-side", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstHarness *harness = start ("reset-on=caps", CAPS);
    g_autofree char *caps = g_strdup_printf ("video/x-raw,%s", cases[i].caps);
    g_autoptr (GstRvmFeatures) before = features_of_step (harness, 0), after = NULL;

    gst_harness_set_src_caps_str (harness, caps);
    after = features_of_step (harness, 1);
    ck_assert_msg ((after->generation == 2) == cases[i].resets, "%s: generation %u", caps, (guint) after->generation);
    ck_assert_uint_eq (after->update, 2);
    ck_assert (after->source == before->source);
    gst_harness_teardown (harness);
  }
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_add_test (tests, test_updates_are_counted);
  tcase_add_test (tests, test_sources_differ);
  tcase_add_test (tests, test_started_again);
  tcase_add_test (tests, test_nothing_is_carried_across_streams);
  tcase_add_test (tests, test_caps_that_change_the_picture);
  return run_cases ("rvmencode-sources", tests);
}
