/* rvmencode on its own, through GstHarness: metadata, state rules, untouched pictures, and errors that name the reason. */
#include "harness.h"

START_TEST (test_meta_describes_the_frame)
{
  GstHarness *harness = start ("", CAPS);

  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) buffer = step (harness, i, i);
    const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);

    ck_assert_uint_eq (meta->rows, 3);
    ck_assert_uint_eq (meta->columns, 4);
    ck_assert_uint_eq (meta->dim, 48);
    ck_assert_uint_eq (g_bytes_get_size (meta->data), 13 * 48 * sizeof (float));
    ck_assert_uint_eq (meta->generation, 1);
    ck_assert_uint_eq (meta->frames_since_reset, i + 1);
    ck_assert_uint_eq (meta->update_pts, i * 40 * GST_MSECOND);
    ck_assert (!meta->carried);
    ck_assert_uint_eq (strlen (meta->model_id), 32);
    ck_assert_uint_eq (meta->frame_width, 64);
    ck_assert_uint_eq (meta->analysis_height, 48);
  }
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_picture_is_untouched_and_not_copied)
{
  GstHarness *harness = start ("", CAPS);
  g_autoptr (GstBuffer) in = make_frame (64 * 48 * 3, 7, 0), out = NULL, same = make_frame (64 * 48 * 3, 7, 0);
  GstMemory *memory = gst_buffer_peek_memory (in, 0);
  GstMapInfo a, b;

  /* Two references: not writable, so the metadata needs a new buffer; the memory must be the same. */
  out = gst_harness_push_and_pull (harness, gst_buffer_ref (in));
  ck_assert_ptr_eq (gst_buffer_peek_memory (out, 0), memory);
  ck_assert_ptr_eq (gst_rvm_buffer_get_feature_meta (in), NULL);
  gst_buffer_map (out, &a, GST_MAP_READ);
  gst_buffer_map (same, &b, GST_MAP_READ);
  ck_assert_uint_eq (a.size, b.size);
  ck_assert_int_eq (memcmp (a.data, b.data, a.size), 0);
  gst_buffer_unmap (out, &a);
  gst_buffer_unmap (same, &b);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_reset_is_a_fresh_start)
{
  GstHarness *harness = start ("", CAPS), *fresh = start ("", CAPS);
  G_GNUC_UNUSED g_autoptr (GstBuffer) first = step (harness, 1, 0);
  g_autoptr (GstBuffer) second = step (harness, 2, 1), again = NULL, cold = NULL;
  g_autoptr (GBytes) warm_features = features_of (second), reset_features = NULL, cold_features = NULL;
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  const GstRvmFeatureMeta *meta;

  g_signal_emit_by_name (element, "reset-state");
  again = step (harness, 2, 2);
  cold = step (fresh, 2, 0);
  reset_features = features_of (again);
  cold_features = features_of (cold);
  ck_assert (g_bytes_equal (reset_features, cold_features));
  ck_assert (!g_bytes_equal (reset_features, warm_features));
  meta = gst_rvm_buffer_get_feature_meta (again);
  ck_assert_uint_eq (meta->generation, 2);
  ck_assert_uint_eq (meta->frames_since_reset, 1);
  gst_harness_teardown (harness);
  gst_harness_teardown (fresh);
}
END_TEST

START_TEST (test_streams_do_not_influence_each_other)
{
  GstHarness *a = start ("", CAPS), *b = start ("", CAPS), *alone = start ("", CAPS);

  for (guint i = 0; i < 4; i++) {
    g_autoptr (GstBuffer) from_a = step (a, i, i), from_b = step (b, 100 + i, i), from_alone = step (alone, i, i);
    g_autoptr (GBytes) fa = features_of (from_a), fb = features_of (from_b), f = features_of (from_alone);

    ck_assert (g_bytes_equal (fa, f));
    ck_assert (!g_bytes_equal (fb, f));
  }
  gst_harness_teardown (a);
  gst_harness_teardown (b);
  gst_harness_teardown (alone);
}
END_TEST

START_TEST (test_interval_carries_features)
{
  GstHarness *harness = start ("interval=2", CAPS);
  g_autoptr (GBytes) last = NULL;
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstStructure) stats = NULL;
  guint64 skipped;

  for (guint i = 0; i < 6; i++) {
    g_autoptr (GstBuffer) buffer = step (harness, i, i);
    const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);
    g_autoptr (GBytes) now = features_of (buffer);

    ck_assert_int_eq (meta->carried, i % 3 != 0);
    ck_assert_uint_eq (meta->update_pts, i / 3 * 3 * 40 * GST_MSECOND);
    if (last)
      ck_assert_int_eq (g_bytes_equal (last, now), i % 3 != 0);
    g_clear_pointer (&last, g_bytes_unref);
    last = g_steal_pointer (&now);
  }
  g_object_get (element, "stats", &stats, NULL);
  ck_assert (gst_structure_get_uint64 (stats, "skipped", &skipped));
  ck_assert_uint_eq (skipped, 4);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_caps_and_discont)
{
  GstHarness *harness = start ("reset-on=discont", CAPS);
  G_GNUC_UNUSED g_autoptr (GstBuffer) first = step (harness, 0, 0), second = step (harness, 1, 1);
  g_autoptr (GstBuffer) third = NULL, fourth = NULL, fifth = NULL;
  GstBuffer *frame = make_frame (64 * 48 * 3, 2, 2);

  /* Other caps of the same size keep the state unless reset-on says otherwise. */
  gst_harness_set_src_caps_str (harness, "video/x-raw,format=BGR,width=64,height=48,framerate=25/1");
  third = step (harness, 2, 2);
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (third)->frames_since_reset, 3);
  GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DISCONT);
  fourth = gst_harness_push_and_pull (harness, frame);
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (fourth)->frames_since_reset, 1);
  /* Another size always resets. */
  gst_harness_set_src_caps_str (harness, "video/x-raw,format=RGB,width=32,height=32,framerate=25/1");
  fifth = gst_harness_push_and_pull (harness, make_frame (32 * 32 * 3, 3, 3));
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (fifth)->generation, 3);
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (fifth)->rows, 2);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_formats_and_odd_sizes)
{
  static const char *const formats[] = { "I420", "NV12", "YUY2", "GRAY8", "RGBx", "BGRA", "P010_10LE", "AYUV64" };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autofree char *caps = g_strdup_printf ("video/x-raw,format=%s,width=47,height=33,framerate=25/1", formats[i]);
    g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
    GstHarness *harness = start ("output=class", caps);
    g_autoptr (GstBuffer) buffer = NULL;
    GstVideoInfo info;
    const GstRvmFeatureMeta *meta;

    gst_video_info_from_caps (&info, parsed);
    buffer = gst_harness_push_and_pull (harness, make_frame (info.size, i, 0));
    meta = gst_rvm_buffer_get_feature_meta (buffer);
    ck_assert_ptr_ne (meta, NULL);
    ck_assert_uint_eq (meta->rows, 2);
    ck_assert_uint_eq (meta->columns, 3);
    ck_assert_uint_eq (g_bytes_get_size (meta->data), 48 * sizeof (float));
    gst_harness_teardown (harness);
  }
}
END_TEST

/* Starting with these settings fails, with a message that has both parts. */
static void
expect_failure (const char *settings, const char *part, const char *other)
{
  g_autofree char *launch = g_strdup_printf ("videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! rvmencode %s ! fakesink", settings);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  expect_message (bus, GST_MESSAGE_ERROR, part, other);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

START_TEST (test_bad_input)
{
  g_autofree char *folder = g_dir_make_tmp ("rvm-XXXXXX", NULL), *settings = NULL, *content = NULL;
  g_autofree char *path = g_build_filename (folder, "bad.npz", NULL);
  gsize size;

  settings = g_strdup_printf ("model-file=\"%s\"", path);
  expect_failure ("", "model-file", "rvm-cl-train");
  expect_failure (settings, "bad.npz", "No such file");
  expect_failure ("device=nothing model-file=\"" MODEL "\"", "nothing", "there are");
  expect_failure ("precision=f16 gemm=clblast model-file=\"" MODEL "\"", "f16", "CLBlast");
  g_file_set_contents (path, "", 0, NULL);
  expect_failure (settings, "bad.npz", "empty");
  g_file_set_contents (path, "random bytes, not a model", -1, NULL);
  expect_failure (settings, "bad.npz", "is not a weight file");
  g_assert_true (g_file_get_contents (MODEL, &content, &size, NULL));
  g_file_set_contents (path, content, size / 2, NULL);
  expect_failure (settings, "bad.npz", "npz");
  /* A flipped bit in the values: the zip's checksum notices. */
  content[size / 2] ^= 0x10;
  g_file_set_contents (path, content, size, NULL);
  expect_failure (settings, "bad.npz", "");
  g_unlink (path);
  g_rmdir (folder);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_meta_describes_the_frame);
  tcase_add_test (tests, test_picture_is_untouched_and_not_copied);
  tcase_add_test (tests, test_reset_is_a_fresh_start);
  tcase_add_test (tests, test_streams_do_not_influence_each_other);
  tcase_add_test (tests, test_interval_carries_features);
  tcase_add_test (tests, test_caps_and_discont);
  tcase_add_test (tests, test_formats_and_odd_sizes);
  tcase_add_test (tests, test_bad_input);
  return run_cases ("rvmencode", tests);
}
