/* The state of rvmencode under the user's control: saved, restored, found again after a seek, always to the byte. */
#include "harness.h"

static char *folder;

static char *
path_of (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

static gboolean
signal_file (GstHarness *harness, const char *signal, const char *path)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  gboolean done = FALSE;

  g_signal_emit_by_name (element, signal, path, &done);
  return done;
}

/* Features of frames 0 .. n-1 of a stream that nothing disturbs. */
static GPtrArray *
undisturbed (const char *settings, guint n)
{
  GPtrArray *features = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  GstHarness *harness = start (settings, CAPS);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (features, features_at (harness, i));
  gst_harness_teardown (harness);
  return features;
}

static void
assert_frames (GstHarness *harness, GPtrArray *expected, guint from, guint to)
{
  for (guint i = from; i < to; i++) {
    g_autoptr (GBytes) features = features_at (harness, i);
    ck_assert_msg (g_bytes_equal (features, expected->pdata[i]), "frame %u differs", i);
  }
}

START_TEST (test_saved_state_goes_on_to_the_byte)
{
  g_autoptr (GPtrArray) expected = undisturbed ("", 8);
  g_autofree char *path = path_of ("state.safetensors"), *settings = g_strdup_printf ("state-file=\"%s\"", path), *hash = NULL, *again = NULL, *other_hash = NULL;
  GstHarness *harness = start ("", CAPS), *warm, *other;
  g_autoptr (GstBuffer) buffer = NULL, restored = NULL;
  g_autoptr (GstElement) element = NULL;
  const GstRvmFeatureMeta *meta;

  assert_frames (harness, expected, 0, 4);
  ck_assert (signal_file (harness, "save-state", path));
  hash = get_state_hash (harness);
  assert_frames (harness, expected, 4, 8);

  /* Another element starts from it... */
  warm = start (settings, CAPS);
  buffer = step (warm, 4, 4);
  meta = gst_rvm_buffer_get_feature_meta (buffer);
  ck_assert (meta->restored);
  ck_assert_uint_eq (meta->generation, 1);
  ck_assert_uint_eq (meta->frames_since_reset, 5);
  ck_assert_uint_eq (meta->restored_pts, 3 * FRAME_TIME);
  ck_assert_uint_eq (meta->restored_age, GST_CLOCK_TIME_NONE);
  ck_assert (g_bytes_equal (meta->data, expected->pdata[4]));
  assert_frames (warm, expected, 5, 8);

  /* ... one that has seen other frames goes on from it, after a reset too ... */
  other = start ("", CAPS);
  gst_buffer_unref (step (other, 99, 0));
  element = gst_harness_find_element (other, "rvmencode");
  g_signal_emit_by_name (element, "reset-state");
  ck_assert (signal_file (other, "load-state", path));
  assert_frames (other, expected, 4, 8);
  ck_assert_uint_eq (get_stat (other, "restores"), 1);

  /* ... and the first one goes back to it. */
  ck_assert (signal_file (harness, "load-state", path));
  restored = step (harness, 4, 8);
  meta = gst_rvm_buffer_get_feature_meta (restored);
  ck_assert_uint_eq (meta->generation, 2);
  ck_assert (g_bytes_equal (meta->data, expected->pdata[4]));

  /* Hashes tell states apart, and know one again. */
  ck_assert_uint_eq (strlen (hash), 16);
  again = get_state_hash (warm);
  ck_assert_str_ne (again, hash);
  other_hash = get_state_hash (other);
  ck_assert_str_eq (again, other_hash);
  gst_harness_teardown (warm);
  gst_harness_teardown (other);
  gst_harness_teardown (harness);
  g_unlink (path);
}
END_TEST

/* @path with another array, of a type that nothing here knows, beside the state. */
static void
add_array (const char *path)
{
  static const char more[] = ",\"note\":{\"dtype\":\"F8_E8M0\",\"shape\":[0],\"data_offsets\":[0,0]}}";
  g_autofree char *content = NULL;
  g_autoptr (GByteArray) out = g_byte_array_new ();
  guint64 length;
  gsize size, data, end;

  ck_assert (g_file_get_contents (path, &content, &size, NULL));
  memcpy (&length, content, sizeof length);
  end = data = 8 + GUINT64_FROM_LE (length);
  while (content[end - 1] != '}')
    end--;
  g_byte_array_append (out, (const guint8 *) content, end - 1);
  g_byte_array_append (out, (const guint8 *) more, strlen (more));
  length = GUINT64_TO_LE ((guint64) out->len - 8);
  memcpy (out->data, &length, sizeof length);
  g_byte_array_append (out, (const guint8 *) content + data, size - data);
  ck_assert (g_file_set_contents (path, (const char *) out->data, out->len, NULL));
}

START_TEST (test_state_file_with_other_arrays)
{
  g_autoptr (GPtrArray) expected = undisturbed ("", 4);
  g_autofree char *path = path_of ("more.safetensors"), *settings = g_strdup_printf ("state-file=\"%s\"", path);
  GstHarness *harness = start ("", CAPS), *warm;

  assert_frames (harness, expected, 0, 2);
  ck_assert (signal_file (harness, "save-state", path));
  add_array (path);
  warm = start (settings, CAPS);
  assert_frames (warm, expected, 2, 4);
  gst_harness_teardown (warm);
  gst_harness_teardown (harness);
  g_unlink (path);
}
END_TEST

START_TEST (test_hash_is_of_the_frames_alone)
{
  g_autofree char *expected = NULL;

  for (guint run = 0; run < 4; run++) {
    GstHarness *harness = start (run == 1 ? "snapshot-count=8 snapshot-interval=1" : run == 2 ? "output=class" : "", CAPS);
    g_autofree char *hash = NULL;

    for (guint i = 0; i < 6; i++) {
      gst_buffer_unref (step (harness, i, i));
      if (run == 3 && i == 3) { /* paused and played again */
        gst_element_set_state (harness->element, GST_STATE_PAUSED);
        gst_element_set_state (harness->element, GST_STATE_PLAYING);
      }
    }
    hash = get_state_hash (harness);
    ck_assert_ptr_ne (hash, NULL);
    if (expected)
      ck_assert_str_eq (hash, expected);
    else
      expected = g_steal_pointer (&hash);
    gst_harness_teardown (harness);
  }
}
END_TEST

/* The hash of the state after 6 frames that a file source reads in pieces of @blocksize bytes. */
static char *
run_pieces (const char *path, guint blocksize, const char *between)
{
  g_autofree char *launch = g_strdup_printf ("filesrc location=\"%s\" blocksize=%u ! rawvideoparse format=rgb width=64 height=48 framerate=25/1 %s"
                                             " ! rvmencode name=encode model-file=\"" MODEL "\" ! fakesink", path, blocksize, between);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (pipeline), "encode");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GstStructure) stats = NULL;
  char *hash;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ck_assert (message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  g_object_get (element, "stats", &stats, NULL);
  hash = g_strdup (gst_structure_get_string (stats, "state-hash"));
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return hash;
}

START_TEST (test_hash_is_of_the_frames_in_any_pieces)
{
  static const struct {
    guint blocksize;
    const char *between;
  } cases[] = { { 9216, "" }, { 1000, "" }, { 100000, "" }, { 4096, "! queue max-size-buffers=1 ! identity" } };
  g_autofree char *path = path_of ("frames.raw"), *expected = NULL;
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  GstHarness *harness = start ("", CAPS);

  for (guint i = 0; i < 6; i++) {
    g_autoptr (GstBuffer) frame = make_frame (64 * 48 * 3, i, i);
    GstMapInfo map;

    gst_buffer_map (frame, &map, GST_MAP_READ);
    g_byte_array_append (bytes, map.data, map.size);
    gst_buffer_unmap (frame, &map);
    gst_buffer_unref (step (harness, i, i));
  }
  g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL);
  expected = get_state_hash (harness);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *hash = run_pieces (path, cases[i].blocksize, cases[i].between);
    ck_assert_str_eq (hash, expected);
  }
  gst_harness_teardown (harness);
  g_unlink (path);
}
END_TEST

START_TEST (test_seek_back_finds_a_snapshot)
{
  g_autoptr (GPtrArray) expected = undisturbed ("", 12);
  GstHarness *harness = start ("snapshot-count=16 snapshot-interval=80000000", CAPS);
  g_autoptr (GstBuffer) buffer = NULL, cold = NULL;
  const GstRvmFeatureMeta *meta;

  assert_frames (harness, expected, 0, 12);
  ck_assert_uint_eq (get_stat (harness, "snapshots"), 6); /* frames 0, 2, 4, ... */
  ck_assert_uint_eq (get_stat (harness, "snapshot-bytes"), 6 * 13 * 48 * sizeof (float));

  /* Frame 5 follows the snapshot of frame 4: as if nothing had happened. */
  seek (harness, 5 * FRAME_TIME);
  buffer = step (harness, 5, 5);
  meta = gst_rvm_buffer_get_feature_meta (buffer);
  ck_assert (meta->restored);
  ck_assert_uint_eq (meta->restored_pts, 4 * FRAME_TIME);
  ck_assert_uint_eq (meta->restored_age, FRAME_TIME);
  ck_assert_uint_eq (meta->frames_since_reset, 6);
  ck_assert_uint_eq (meta->generation, 2);
  ck_assert (g_bytes_equal (meta->data, expected->pdata[5]));
  assert_frames (harness, expected, 6, 12);

  /* Frame 4 must not be folded into a state that has seen it: the one of frame 2, two frames old. */
  seek (harness, 4 * FRAME_TIME);
  gst_clear_buffer (&buffer);
  buffer = step (harness, 4, 4);
  meta = gst_rvm_buffer_get_feature_meta (buffer);
  ck_assert_uint_eq (meta->restored_pts, 2 * FRAME_TIME);
  ck_assert_uint_eq (meta->restored_age, 2 * FRAME_TIME);

  /* Nothing is earlier than the first frame: cold. */
  seek (harness, 0);
  cold = step (harness, 0, 0);
  meta = gst_rvm_buffer_get_feature_meta (cold);
  ck_assert (!meta->restored);
  ck_assert_uint_eq (meta->frames_since_reset, 1);
  ck_assert (g_bytes_equal (meta->data, expected->pdata[0]));
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_snapshots_are_bounded_and_optional)
{
  GstHarness *harness = start ("snapshot-count=3 snapshot-interval=1", CAPS), *without = start ("", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstBuffer) buffer = NULL, explicit = NULL, plain = NULL;

  for (guint i = 0; i < 9; i++) {
    gst_buffer_unref (step (harness, i, i));
    gst_buffer_unref (step (without, i, i));
  }
  ck_assert_uint_eq (get_stat (harness, "snapshots"), 3);
  ck_assert_uint_eq (get_stat (without, "snapshots"), 0);
  /* Only the last three are left: a seek before them is cold. */
  seek (harness, 3 * FRAME_TIME);
  buffer = step (harness, 3, 3);
  ck_assert (!gst_rvm_buffer_get_feature_meta (buffer)->restored);
  /* A reset that was asked for is no seek. */
  g_signal_emit_by_name (element, "reset-state");
  explicit = step (harness, 9, 9);
  ck_assert (!gst_rvm_buffer_get_feature_meta (explicit)->restored);
  ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (explicit)->frames_since_reset, 1);
  seek (without, 3 * FRAME_TIME);
  plain = step (without, 3, 3);
  ck_assert (!gst_rvm_buffer_get_feature_meta (plain)->restored);
  gst_harness_teardown (harness);
  gst_harness_teardown (without);
}
END_TEST

START_TEST (test_states_that_do_not_fit)
{
  g_autofree char *path = path_of ("state.safetensors"), *broken = path_of ("broken.safetensors"), *missing = path_of ("missing.safetensors");
  g_autofree char *halves = g_strdup_printf ("precision=f16 state-file=\"%s\"", path), *content = NULL, *settings = NULL;
  GstHarness *harness = start ("", CAPS), *larger = start ("", "video/x-raw,format=RGB,width=64,height=64,framerate=25/1");
  g_autoptr (GstBus) bus = add_bus (harness), larger_bus = add_bus (larger);
  gsize size;

  /* Nothing to save yet; a name that is none; a folder that is none. */
  ck_assert (!signal_file (harness, "save-state", path));
  expect_message (bus, GST_MESSAGE_WARNING, "state.safetensors", "no state");
  gst_buffer_unref (step (harness, 0, 0));
  ck_assert (!signal_file (harness, "save-state", "state.bin"));
  expect_message (bus, GST_MESSAGE_WARNING, "state.bin", ".safetensors");
  ck_assert (!signal_file (harness, "save-state", "/no/such/folder/state.safetensors"));
  expect_message (bus, GST_MESSAGE_WARNING, "/no/such/folder", "No such file");
  ck_assert (signal_file (harness, "save-state", path));

  ck_assert (!signal_file (harness, "load-state", missing));
  expect_message (bus, GST_MESSAGE_WARNING, "missing.safetensors", "No such file");
  ck_assert (!signal_file (harness, "load-state", MODEL));
  expect_message (bus, GST_MESSAGE_WARNING, "tiny.npz", "no state file");
  g_assert_true (g_file_get_contents (path, &content, &size, NULL));
  g_file_set_contents (broken, content, size - 5, NULL);
  ck_assert (!signal_file (harness, "load-state", broken));
  expect_message (bus, GST_MESSAGE_WARNING, "broken.safetensors", "array");

  /* Another size: found out at the next frame; the stream goes on with the state it has. */
  gst_buffer_unref (gst_harness_push_and_pull (larger, make_frame (64 * 64 * 3, 0, 0)));
  ck_assert (signal_file (larger, "load-state", path));
  gst_buffer_unref (gst_harness_push_and_pull (larger, make_frame (64 * 64 * 3, 1, 1)));
  expect_message (larger_bus, GST_MESSAGE_WARNING, "64 x 48", "expected 64 x 64");
  ck_assert_uint_eq (get_stat (larger, "restores"), 0);
  ck_assert_uint_eq (get_stat (larger, "resets"), 0);
  gst_harness_teardown (harness);
  gst_harness_teardown (larger);

  /* As state-file: an error before the first frame. */
  {
    struct {
      const char *settings, *width, *part, *other;
    } cases[] = {
      { halves, "64", "precision f32", "expected f16" },
      { NULL, "80", "64 x 48", "expected 80 x 48" },
    };

    settings = g_strdup_printf ("state-file=\"%s\"", path);
    cases[1].settings = settings;
    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
      g_autofree char *launch = g_strdup_printf ("videotestsrc num-buffers=1 ! video/x-raw,width=%s,height=48 ! rvmencode model-file=\"%s\" %s"
                                                 " ! fakesink", cases[i].width, MODEL, cases[i].settings);
      g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
      g_autoptr (GstBus) own = gst_element_get_bus (pipeline);

      gst_element_set_state (pipeline, GST_STATE_PAUSED);
      expect_message (own, GST_MESSAGE_ERROR, cases[i].part, cases[i].other);
      gst_element_set_state (pipeline, GST_STATE_NULL);
    }
  }
  g_unlink (path);
  g_unlink (broken);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");
  int failed;

  gst_check_init (&argc, &argv);
  folder = g_dir_make_tmp ("rvm-state-XXXXXX", NULL);
  tcase_add_test (tests, test_saved_state_goes_on_to_the_byte);
  tcase_add_test (tests, test_state_file_with_other_arrays);
  tcase_add_test (tests, test_hash_is_of_the_frames_alone);
  tcase_add_test (tests, test_hash_is_of_the_frames_in_any_pieces);
  tcase_add_test (tests, test_seek_back_finds_a_snapshot);
  tcase_add_test (tests, test_snapshots_are_bounded_and_optional);
  tcase_add_test (tests, test_states_that_do_not_fit);
  failed = run_cases ("rvmencode-state", tests);
  g_rmdir (folder);
  g_free (folder);
  return failed;
}
