/* rvmencode on pictures that are not stored as they are shown: tags that change on the way, margins, both with pixels that are not square; and what the
 * elements let downstream ask of upstream. test_orientation.py has the eight orientations. */
#include "harness.h"

#define ORIENTATIONS 8

static void
push_tag (GstHarness *harness, const char *orientation)
{
  GstTagList *list = gst_tag_list_new (GST_TAG_IMAGE_ORIENTATION, orientation, NULL);

  gst_tag_list_set_scope (list, GST_TAG_SCOPE_STREAM);
  ck_assert (gst_harness_push_event (harness, gst_event_new_tag (list)));
}

/* The next frame, noise of @width x @height, analysed as what @orientation makes upright; generation and number as expected. */
static void
expect_frame (GstHarness *harness, guint index, guint width, guint height, guint orientation, guint generation, guint number)
{
  g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, make_frame (64 * 48 * 3, index, index));
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (out);

  ck_assert_ptr_ne (meta, NULL);
  ck_assert_msg (meta->frame_width == width && meta->frame_height == height, "frame %u: %u x %u, expected %u x %u", index, meta->frame_width,
      meta->frame_height, width, height);
  ck_assert_uint_eq (meta->columns, width / 16);
  ck_assert_uint_eq (meta->orientation, orientation);
  ck_assert_msg (meta->generation == generation && meta->frames_since_reset == number, "frame %u: generation %" G_GUINT64_FORMAT ", number %"
      G_GUINT64_FORMAT, index, meta->generation, meta->frames_since_reset);
}

/* A tag counts from its place on; the state goes on unless the picture becomes another size. */
START_TEST (test_a_tag_on_the_way)
{
  GstHarness *harness = start ("", CAPS);

  expect_frame (harness, 0, 64, 48, GST_VIDEO_ORIENTATION_IDENTITY, 1, 1);
  push_tag (harness, "rotate-180");
  expect_frame (harness, 1, 64, 48, GST_VIDEO_ORIENTATION_180, 1, 2);
  push_tag (harness, "flip-rotate-0");
  expect_frame (harness, 2, 64, 48, GST_VIDEO_ORIENTATION_HORIZ, 1, 3);
  push_tag (harness, "rotate-90");
  expect_frame (harness, 3, 48, 64, GST_VIDEO_ORIENTATION_90R, 2, 1);
  push_tag (harness, "flip-rotate-90");
  expect_frame (harness, 4, 48, 64, GST_VIDEO_ORIENTATION_UR_LL, 2, 2);
  push_tag (harness, "rotate-0");
  expect_frame (harness, 5, 64, 48, GST_VIDEO_ORIENTATION_IDENTITY, 3, 1);
  /* Another stream has no tag yet. */
  push_tag (harness, "rotate-270");
  gst_harness_push_event (harness, gst_event_new_stream_start ("another"));
  expect_frame (harness, 6, 64, 48, GST_VIDEO_ORIENTATION_IDENTITY, 4, 1);
  gst_harness_teardown (harness);

  /* A size that was asked for stays, and so does the state. */
  harness = start ("width=64 height=64", CAPS);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, make_frame (64 * 48 * 3, i, i));

    ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (out)->frame_width, i ? 48 : 64);
    ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (out)->frames_since_reset, 1 + i);
    push_tag (harness, "rotate-90");
  }
  gst_harness_teardown (harness);
}
END_TEST

static GBytes *
analyse (GstHarness *harness, GstBuffer *buffer)
{
  g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, buffer);

  ck_assert_ptr_ne (out, NULL);
  return features_of (out);
}

/* The features are of what the picture is at each place: the same as of a stream of pictures that videoflip turned. */
START_TEST (test_features_after_a_tag)
{
  static const char *const tags[] = { "rotate-0", "rotate-180", "flip-rotate-180", "rotate-0" };
  static const guint methods[] = { GST_VIDEO_ORIENTATION_IDENTITY, GST_VIDEO_ORIENTATION_180, GST_VIDEO_ORIENTATION_VERT,
    GST_VIDEO_ORIENTATION_IDENTITY };
  GstHarness *harness = start ("", CAPS), *upright = start ("", CAPS);

  for (guint i = 0; i < G_N_ELEMENTS (tags); i++) {
    g_autofree char *launch = g_strdup_printf ("videoflip video-direction=%u", methods[i]);
    GstHarness *flip = gst_harness_new_parse (launch);
    g_autoptr (GBytes) features = NULL, expected = NULL;

    gst_harness_set_src_caps_str (flip, CAPS);
    push_tag (harness, tags[i]);
    features = analyse (harness, make_frame (64 * 48 * 3, i, i));
    expected = analyse (upright, gst_harness_push_and_pull (flip, make_frame (64 * 48 * 3, i, i)));
    ck_assert_msg (g_bytes_equal (features, expected), "%s: other features than of the turned picture", tags[i]);
    gst_harness_teardown (flip);
  }
  gst_harness_teardown (harness);
  gst_harness_teardown (upright);
}
END_TEST

/* Margins of noise around a picture, as the caps and the metadata of decoders have it. */
static GstBuffer *
add_margins (GstBuffer *picture, guint width, guint height, guint left, guint top, guint right, guint bottom)
{
  const guint across = left + width + right, along = top + height + bottom, stride = GST_ROUND_UP_4 (across * 3);
  GstBuffer *buffer = make_frame (stride * along, 99, 0);
  GstVideoCropMeta *crop;
  GstMapInfo from, to;

  gst_buffer_map (picture, &from, GST_MAP_READ);
  gst_buffer_map (buffer, &to, GST_MAP_WRITE);
  for (guint y = 0; y < height; y++)
    memcpy (to.data + (gsize) (top + y) * stride + left * 3, from.data + (gsize) y * GST_ROUND_UP_4 (width * 3), width * 3);
  gst_buffer_unmap (picture, &from);
  gst_buffer_unmap (buffer, &to);
  gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, across, along);
  crop = gst_buffer_add_video_crop_meta (buffer);
  crop->x = left;
  crop->y = top;
  crop->width = width;
  crop->height = height;
  GST_BUFFER_PTS (buffer) = GST_BUFFER_PTS (picture);
  return buffer;
}

/* Margins are not seen, in each orientation, with pixels of any shape; and they may be others on the next frame. */
START_TEST (test_margins)
{
  static const char *const tags[ORIENTATIONS] = { "rotate-0", "rotate-90", "rotate-180", "rotate-270", "flip-rotate-0", "flip-rotate-180",
    "flip-rotate-270", "flip-rotate-90" };
  const char *caps = CAPS ",pixel-aspect-ratio=3/2";

  for (guint method = 0; method < ORIENTATIONS; method++) {
    const gboolean swap = strstr ("rotate-90 rotate-270 flip-rotate-270 flip-rotate-90", tags[method]) != NULL;
    GstHarness *cut = start ("size=32", caps), *margins = start ("size=32", caps);

    push_tag (cut, tags[method]);
    push_tag (margins, tags[method]);
    for (guint i = 0; i < 3; i++) {
      g_autoptr (GstBuffer) picture = make_frame (64 * 48 * 3, 10 * method + i, i), plain = NULL, shown = NULL;
      const GstRvmFeatureMeta *a, *b;

      plain = gst_harness_push_and_pull (cut, gst_buffer_copy_deep (picture));
      shown = gst_harness_push_and_pull (margins, add_margins (picture, 64, 48, 16 * i, 10, 8, 6 + 2 * i));
      ck_assert_ptr_ne (shown, NULL);
      a = gst_rvm_buffer_get_feature_meta (plain);
      b = gst_rvm_buffer_get_feature_meta (shown);
      ck_assert_msg (g_bytes_equal (a->data, b->data), "%s, frame %u: other features with margins", tags[method], i);
      ck_assert (a->frame_width == b->frame_width && a->frame_height == b->frame_height && b->generation == 1);
      ck_assert (b->orientation == method && b->frame_width == (swap ? 48 : 64));
      ck_assert (b->pixel_aspect_n == (swap ? 2 : 3) && b->pixel_aspect_d == (swap ? 3 : 2));
    }
    gst_harness_teardown (cut);
    gst_harness_teardown (margins);
  }
}
END_TEST

START_TEST (test_margins_that_cannot_be)
{
  GstHarness *harness = start ("", CAPS);
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  GstBuffer *frame = make_frame (64 * 48 * 3, 1, 0);
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (frame);

  crop->x = 60;
  crop->width = crop->height = 16;
  ck_assert_int_ne (gst_harness_push (harness, frame), GST_FLOW_OK);
  expect_message (bus, GST_MESSAGE_ERROR, "16 x 16 pixels from 60,0", "64 x 48");
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}
END_TEST

/* Two fields in a buffer, each a picture of its own to whoever maps it: refused, with the way out. */
START_TEST (test_fields_apart)
{
  GstHarness *harness = start ("", CAPS ",interlace-mode=fields");
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  GstBuffer *frame = make_frame (64 * 48 * 3, 1, 0);

  gst_buffer_add_video_meta (frame, GST_VIDEO_FRAME_FLAG_INTERLACED, GST_VIDEO_FORMAT_RGB, 64, 24);
  ck_assert_int_ne (gst_harness_push (harness, frame), GST_FLOW_OK);
  expect_message (bus, GST_MESSAGE_ERROR, "fields", "deinterlace");
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_custom_direction)
{
  GstHarness *harness = start ("video-direction=custom", CAPS);
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  ck_assert_int_ne (gst_harness_push (harness, make_frame (64 * 48 * 3, 1, 0)), GST_FLOW_OK);
  expect_message (bus, GST_MESSAGE_ERROR, "video-direction=custom", "auto");
  gst_element_set_bus (element, NULL);
  gst_harness_teardown (harness);
}
END_TEST

/* What a sink that leaves nothing to upstream offers does not get past the elements; what is understood does. */
START_TEST (test_allocation)
{
  static const struct {
    const char *launch;
    gboolean drawings;
  } elements[] = { { "rvmencode model-file=\"" MODEL "\"", FALSE }, { "rvmtrack", TRUE }, { "rvmoverlay", TRUE }, { "rvmexport location=/dev/null", TRUE } };
  const GType left_out[] = { GST_VIDEO_CROP_META_API_TYPE, GST_VIDEO_AFFINE_TRANSFORMATION_META_API_TYPE,
    GST_VIDEO_GL_TEXTURE_UPLOAD_META_API_TYPE, GST_RVM_FEATURE_META_API_TYPE };

  for (guint i = 0; i < G_N_ELEMENTS (elements); i++) {
    GstHarness *harness = gst_harness_new_parse (elements[i].launch);
    g_autoptr (GstCaps) caps = gst_caps_from_string (CAPS);
    g_autoptr (GstQuery) query = gst_query_new_allocation (caps, TRUE);

    gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_META_API_TYPE, NULL);
    gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE, NULL);
    for (guint k = 0; k < G_N_ELEMENTS (left_out); k++)
      gst_harness_add_propose_allocation_meta (harness, left_out[k], NULL);
    gst_harness_set_src_caps (harness, g_steal_pointer (&caps));
    ck_assert_int_eq (gst_harness_push (harness, make_frame (64 * 48 * 3, 1, 0)), GST_FLOW_OK);
    gst_pad_peer_query (harness->srcpad, query);
    ck_assert_msg (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL), "%s does not take strides", elements[i].launch);
    for (guint k = 0; k < G_N_ELEMENTS (left_out); k++)
      ck_assert_msg (!gst_query_find_allocation_meta (query, left_out[k], NULL), "%s lets %s pass", elements[i].launch, g_type_name (left_out[k]));
    ck_assert_msg (gst_query_find_allocation_meta (query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL) == elements[i].drawings,
        "%s: drawings", elements[i].launch);
    gst_harness_teardown (harness);
  }
}
END_TEST

/* From end to end: a sink that cuts by metadata sees what a plain one sees. */
START_TEST (test_a_sink_that_cuts)
{
  GBytes *features[2] = { NULL };

  for (guint cuts = 0; cuts < 2; cuts++) {
    GstHarness *harness = gst_harness_new_parse ("videocrop left=64 ! rvmencode model-file=\"" MODEL "\" ! rvmtrack points=0.5,0.5 ! rvmoverlay mode=none");
    g_autoptr (GstBuffer) out = NULL;

    if (cuts) {
      gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_META_API_TYPE, NULL);
      gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_CROP_META_API_TYPE, NULL);
    }
    gst_harness_set_src_caps_str (harness, "video/x-raw,format=RGB,width=128,height=48,framerate=25/1");
    out = gst_harness_push_and_pull (harness, make_frame (128 * 48 * 3, 1, 0));
    ck_assert_uint_eq (gst_rvm_buffer_get_feature_meta (out)->frame_width, 64);
    features[cuts] = features_of (out);
    gst_harness_teardown (harness);
  }
  ck_assert (g_bytes_equal (features[0], features[1]));
  g_bytes_unref (features[0]);
  g_bytes_unref (features[1]);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_a_tag_on_the_way);
  tcase_add_test (tests, test_features_after_a_tag);
  tcase_add_test (tests, test_margins);
  tcase_add_test (tests, test_margins_that_cannot_be);
  tcase_add_test (tests, test_fields_apart);
  tcase_add_test (tests, test_custom_direction);
  tcase_add_test (tests, test_allocation);
  tcase_add_test (tests, test_a_sink_that_cuts);
  return run_cases ("pictures as they are shown", tests);
}
