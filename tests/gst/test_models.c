/* Other weights in a playing rvmencode: at a frame's boundary, with or without the state, and never in the way of the frames. */
#include "changed_model.h"
#include "harness.h"
#include "model/stream.h"

static char *folder, *other_path;

static GstHarness *
start_with (const char *path, const char *settings)
{
  g_autofree char *launch = g_strdup_printf ("rvmencode model-file=\"%s\" %s", path, settings);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, CAPS);
  return harness;
}

static void
set_model (GstHarness *harness, const char *path)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  g_object_set (element, "model-file", path, NULL);
}

/* Pushes frames from @index on until the model is another; returns the first of it. @index becomes its number, @before the features of the
 * frame before it. */
static GstBuffer *
wait_for_change (GstHarness *harness, guint *index, GBytes **before)
{
  const gint64 until = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;
  g_autofree char *id = NULL;

  for (;; (*index)++) {
    g_autoptr (GstBuffer) buffer = step (harness, *index % 50, *index);
    const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);

    if (id && !g_str_equal (meta->model_id, id))
      return g_steal_pointer (&buffer);
    if (id == NULL)
      id = g_strdup (meta->model_id);
    g_clear_pointer (before, g_bytes_unref);
    *before = gst_rvm_feature_meta_get_data (meta);
    ck_assert_msg (g_get_monotonic_time () < until, "the model did not change");
    g_usleep (2000);
  }
}

START_TEST (test_change_resets)
{
  GstHarness *harness = start ("messages=model+reset", CAPS), *fresh = start_with (other_path, "");
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GstBuffer) first = NULL, expected = NULL, again = NULL;
  g_autoptr (GstMessage) message = NULL;
  const GstRvmFeatureMeta *meta, *other;
  guint index = 0;
  gboolean kept;

  for (; index < 3; index++)
    gst_buffer_unref (step (harness, index, index));
  set_model (harness, other_path);
  first = wait_for_change (harness, &index, &before);
  expected = step (fresh, index % 50, index);
  meta = gst_rvm_buffer_get_feature_meta (first);
  other = gst_rvm_buffer_get_feature_meta (expected);
  ck_assert_str_eq (meta->model_id, other->model_id);
  ck_assert_uint_eq (meta->frames_since_reset, 1);
  ck_assert_uint_eq (meta->generation, 2);
  ck_assert (g_bytes_equal (meta->data, other->data));

  gst_message_unref (gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT)); /* of the first frame */
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
  ck_assert (gst_structure_has_name (gst_message_get_structure (message), "rvm-model"));
  ck_assert (gst_structure_get_boolean (gst_message_get_structure (message), "state-kept", &kept) && !kept);
  gst_clear_message (&message);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
  ck_assert_str_eq (gst_structure_get_string (gst_message_get_structure (message), "reason"), "model");

  /* The same file set again is no change. */
  set_model (harness, other_path);
  g_usleep (300000);
  again = step (harness, 0, index + 1);
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (again)->generation, 2);
  gst_harness_teardown (harness);
  gst_harness_teardown (fresh);
}
END_TEST

/* What the other weights make of the state of the first ones, computed without an element. */
static void
compute (GBytes *state_values, guint index, gfloat *features)
{
  const RvmModelOptions options = { 0 };
  g_autoptr (RvmModel) model = rvm_model_load (other_path, &options, NULL);
  g_autoptr (RvmStream) stream = rvm_stream_new (model, 64, 48, RVM_STREAM_DEFAULT, NULL);
  g_autoptr (RvmState) state = rvm_state_new (model, 64, 48, state_values, 1, 0);
  g_autoptr (GstBuffer) frame = make_frame (64 * 48 * 3, index % 50, index);
  GstMapInfo map;

  gst_buffer_map (frame, &map, GST_MAP_READ);
  ck_assert (rvm_stream_set_state (stream, state, NULL));
  ck_assert (rvm_stream_push (stream, map.data, 64 * 3, 1, features, NULL, NULL));
  gst_buffer_unmap (frame, &map);
}

START_TEST (test_change_keeps_the_state)
{
  GstHarness *harness = start ("on-model-change=keep-state", CAPS);
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GstBuffer) first = NULL, wide = NULL;
  const GstRvmFeatureMeta *meta;
  gfloat expected[13 * 48];
  guint index = 0;

  set_model (harness, other_path);
  first = wait_for_change (harness, &index, &before);
  meta = gst_rvm_buffer_get_feature_meta (first);
  ck_assert_uint_eq (meta->generation, 1);
  ck_assert_uint_eq (meta->frames_since_reset, index + 1);
  ck_assert_uint_eq (g_bytes_get_size (meta->data), sizeof expected);
  compute (before, index, expected);
  ck_assert_int_eq (memcmp (g_bytes_get_data (meta->data, NULL), expected, sizeof expected), 0);

  /* Weights of another width: the state cannot go on. */
  index++;
  set_model (harness, BUNDLED_MODEL);
  wide = wait_for_change (harness, &index, &before);
  meta = gst_rvm_buffer_get_feature_meta (wide);
  ck_assert_uint_ne (meta->dim, 48);
  ck_assert_uint_eq (meta->generation, 2);
  ck_assert_uint_eq (meta->frames_since_reset, 1);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_bad_models_leave_the_old_one)
{
  g_autofree char *text = g_build_filename (folder, "text.npz", NULL), *huge = g_build_filename (folder, "huge.safetensors", NULL);
  g_autofree char *missing = g_build_filename (folder, "missing.npz", NULL);
  const struct {
    const char *path, *part, *other;
  } cases[] = {
    { text, "text.npz", "is not a weight file" },
    { missing, "missing.npz", "No such file" },
    { huge, "model in use stays", "infinite" }, /* runs, but not to numbers */
  };
  GstHarness *harness = start ("", CAPS), *undisturbed = start ("", CAPS);
  g_autoptr (GstBus) bus = add_bus (harness);
  guint index = 0;

  g_file_set_contents (text, "not a model", -1, NULL);
  write_changed_model (huge, OUTPUT_SCALE, 3e38f);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    gst_buffer_unref (step (undisturbed, index, index));
    gst_buffer_unref (step (harness, index, index));
    index++;
    set_model (harness, cases[i].path);
    expect_message (bus, GST_MESSAGE_WARNING, cases[i].part, cases[i].other);
    for (guint f = 0; f < 2; f++, index++) {
      g_autoptr (GBytes) a = features_at (harness, index), b = features_at (undisturbed, index);
      ck_assert (g_bytes_equal (a, b));
    }
  }
  ck_assert_ptr_eq (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR), NULL);
  gst_harness_teardown (harness);
  gst_harness_teardown (undisturbed);
  g_unlink (text);
  g_unlink (huge);
}
END_TEST

START_TEST (test_watch_follows_the_trainer)
{
  g_autofree char *path = g_build_filename (folder, "watched.safetensors", NULL);
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GstBus) bus = NULL;
  GstHarness *harness, *deaf;
  guint index = 0, deaf_index;

  write_changed_model (path, OUTPUT_SCALE, 1);
  harness = start_with (path, "watch-model=true");
  deaf = start_with (path, "");
  bus = add_bus (harness);
  gst_buffer_unref (step (deaf, 0, 0));
  for (guint i = 0; i < 2; i++) {
    gst_buffer_unref (step (harness, index % 50, index));
    index++;
    write_changed_model (path, OUTPUT_SCALE, 1.5f + i);
    gst_buffer_unref (wait_for_change (harness, &index, &before));
    index++;
  }
  /* One that was not watching keeps what it has. */
  for (deaf_index = 1; deaf_index < 3; deaf_index++)
    gst_buffer_unref (step (deaf, deaf_index, deaf_index));
  ck_assert_uint_eq (get_stat (deaf, "resets"), 0);
  /* A file that is broken in place is one warning, and the next good one is taken. */
  g_file_set_contents (path, "broken", -1, NULL);
  expect_message (bus, GST_MESSAGE_WARNING, "watched.safetensors", "is not a weight file");
  write_changed_model (path, OUTPUT_SCALE, 4);
  gst_buffer_unref (wait_for_change (harness, &index, &before));
  ck_assert_ptr_eq (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING), NULL);
  gst_harness_teardown (harness);
  gst_harness_teardown (deaf);
  g_unlink (path);
}
END_TEST

/* The element may stop at any moment of a change. */
START_TEST (test_stop_while_loading)
{
  for (guint i = 0; i < 12; i++) {
    GstHarness *harness = start (i % 2 ? "watch-model=true" : "", CAPS);

    if (i % 3)
      gst_buffer_unref (step (harness, 0, 0));
    for (guint change = 0; change <= i % 4; change++)
      set_model (harness, change % 2 ? MODEL : other_path);
    g_usleep (i * 1500);
    gst_harness_teardown (harness);
  }
}
END_TEST

static void
setup (void)
{
  folder = g_dir_make_tmp ("rvm-models-XXXXXX", NULL);
  other_path = g_build_filename (folder, "other.safetensors", NULL);
  write_changed_model (other_path, OUTPUT_SCALE, 1.25f);
}

static void
teardown (void)
{
  g_unlink (other_path);
  g_rmdir (folder);
  g_clear_pointer (&other_path, g_free);
  g_clear_pointer (&folder, g_free);
}

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_add_unchecked_fixture (tests, setup, teardown);
  tcase_add_test (tests, test_change_resets);
  tcase_add_test (tests, test_change_keeps_the_state);
  tcase_add_test (tests, test_bad_models_leave_the_old_one);
  tcase_add_test (tests, test_watch_follows_the_trainer);
  tcase_add_test (tests, test_stop_while_loading);
  return run_cases ("rvmencode-models", tests);
}
