/* rvmtrack and rvmoverlay on pictures that are not stored as they are shown. The ring is upright, the frames that carry it are not: places, masks and
 * sizes are those of the ring; regions of interest and what is drawn lie in the stored picture. */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"
#include "tests/run_cases.h"

#define ORIENTATIONS 8
#define WIDTH 160
#define HEIGHT 120

/* What @method makes of a point of a picture of @width x @height, from the definition of its name. */
static void
turn (guint method, double width, double height, double x, double y, double *to_x, double *to_y)
{
  switch (method) {
    case GST_VIDEO_ORIENTATION_90R: *to_x = height - y, *to_y = x; break;
    case GST_VIDEO_ORIENTATION_180: *to_x = width - x, *to_y = height - y; break;
    case GST_VIDEO_ORIENTATION_90L: *to_x = y, *to_y = width - x; break;
    case GST_VIDEO_ORIENTATION_HORIZ: *to_x = width - x, *to_y = y; break;
    case GST_VIDEO_ORIENTATION_VERT: *to_x = x, *to_y = height - y; break;
    case GST_VIDEO_ORIENTATION_UL_LR: *to_x = y, *to_y = x; break;
    case GST_VIDEO_ORIENTATION_UR_LL: *to_x = height - y, *to_y = width - x; break;
    default: *to_x = x, *to_y = y;
  }
}

static gboolean
swaps (guint method)
{
  return method == GST_VIDEO_ORIENTATION_90R || method == GST_VIDEO_ORIENTATION_90L || method == GST_VIDEO_ORIENTATION_UL_LR
      || method == GST_VIDEO_ORIENTATION_UR_LL;
}

/* Size of the stored picture that @method makes 160 x 120. */
static guint
stored_width (guint method)
{
  return swaps (method) ? HEIGHT : WIDTH;
}

static guint
stored_height (guint method)
{
  return swaps (method) ? WIDTH : HEIGHT;
}

/* A harness of @launch for grey pictures that @method makes upright. */
static GstHarness *
start (const char *launch, guint method, const char *more)
{
  GstHarness *harness = gst_harness_new_parse (launch);
  g_autofree char *caps = g_strdup_printf ("video/x-raw,format=GRAY8,width=%u,height=%u,framerate=25/1%s", stored_width (method),
      stored_height (method), more);

  gst_harness_set_src_caps_str (harness, caps);
  return harness;
}

/* Frame @index of the ring in a grey picture, @left pixels and 6 lines within a larger one if @left is not 0. */
static GstBuffer *
make_frame (guint index, guint method, guint left)
{
  g_autoptr (GstBuffer) ring = ring_make_frame (index, 1, FALSE);
  const GstRvmFeatureMeta *from = gst_rvm_buffer_get_feature_meta (ring);
  const guint width = stored_width (method) + (left ? left + 10 : 0), height = stored_height (method) + (left ? 6 + 8 : 0);
  GstBuffer *frame = gst_buffer_new_allocate (NULL, width * height, NULL);
  GstRvmFeatureMeta *meta = gst_rvm_buffer_add_feature_meta (frame, from->parts, from->rows, from->columns, from->dim, from->data, "made here");

  gst_buffer_memset (frame, 0, 100, width * height);
  GST_BUFFER_PTS (frame) = GST_BUFFER_PTS (ring);
  meta->generation = 1;
  meta->frame_width = WIDTH;
  meta->frame_height = HEIGHT;
  meta->orientation = method;
  if (left) {
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (frame);

    gst_buffer_add_video_meta_full (frame, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, width, height, 1, (gsize[4]){ 0 },
        (gint[4]){ width });
    crop->x = left;
    crop->y = 6;
    crop->width = stored_width (method);
    crop->height = stored_height (method);
  }
  return frame;
}

/* The box x, y, width, height of the ring, as it lies in the stored picture: around all corners of pixels that are turned into it. */
static void
store_box (guint method, guint left, const double box[4], guint stored[4])
{
  const guint width = stored_width (method), height = stored_height (method);
  guint from_x = width, from_y = height, last_x = 0, last_y = 0;

  for (guint y = 0; y <= height; y++)
    for (guint x = 0; x <= width; x++) {
      double to_x, to_y;

      turn (method, width, height, x, y, &to_x, &to_y);
      if (to_x < box[0] || to_x > box[0] + box[2] || to_y < box[1] || to_y > box[1] + box[3])
        continue;
      from_x = MIN (from_x, x);
      from_y = MIN (from_y, y);
      last_x = MAX (last_x, x);
      last_y = MAX (last_y, y);
    }
  stored[0] = left + from_x;
  stored[1] = (left ? 6 : 0) + from_y;
  stored[2] = last_x - from_x;
  stored[3] = last_y - from_y;
}

static const double box[4] = { 20, 30, 40, 50 };

/* A region of a detector goes in and comes out where it was; in between it is a box of the upright picture. */
static void
check_regions (guint method, guint left)
{
  GstHarness *harness = start ("rvmtrack colours=0 place=0 refine=0 points=\"30,50\"", method, "");
  GstBuffer *frame = make_frame (0, method, left);
  g_autoptr (GstBuffer) out = NULL;
  const GstVideoRegionOfInterestMeta *region;
  const GstRvmTrackMeta *tracks;
  guint stored[4];

  store_box (method, left, box, stored);
  gst_buffer_add_video_region_of_interest_meta (frame, "thing", stored[0], stored[1], stored[2], stored[3]);
  out = gst_harness_push_and_pull (harness, frame);
  ck_assert_ptr_ne (out, NULL);
  tracks = gst_rvm_buffer_get_track_meta (out);
  ck_assert (tracks->frame_width == WIDTH && tracks->frame_height == HEIGHT && tracks->orientation == method && tracks->n_tracks == 2);
  ck_assert (tracks->tracks[0].x == 30 && tracks->tracks[0].y == 50);
  ck_assert_msg (fabs (tracks->tracks[1].x - 20) + fabs (tracks->tracks[1].y - 30) + fabs (tracks->tracks[1].width - 40)
          + fabs (tracks->tracks[1].height - 50) < 1e-6, "orientation %u: %g,%g %g x %g", method, tracks->tracks[1].x, tracks->tracks[1].y,
      tracks->tracks[1].width, tracks->tracks[1].height);
  region = gst_buffer_get_video_region_of_interest_meta_id (out, tracks->tracks[1].id);
  ck_assert_ptr_ne (region, NULL);
  ck_assert_msg (ABS ((int) region->x - (int) stored[0]) <= 1 && ABS ((int) region->y - (int) stored[1]) <= 1
          && ABS ((int) region->w - (int) stored[2]) <= 1 && ABS ((int) region->h - (int) stored[3]) <= 1,
      "orientation %u: %u,%u %u x %u, expected %u,%u %u x %u", method, region->x, region->y, region->w, region->h, stored[0], stored[1], stored[2],
      stored[3]);
  gst_buffer_unref (g_steal_pointer (&out));
  /* The ring turns to the right of the upright picture. */
  out = gst_harness_push_and_pull (harness, make_frame (1, method, left));
  tracks = gst_rvm_buffer_get_track_meta (out);
  assert_near (tracks->tracks[0].x, 30 + CELL, 0.01);
  assert_near (tracks->tracks[1].x, 20 + CELL, 0.5);
  gst_harness_teardown (harness);
}

START_TEST (test_regions)
{
  for (guint method = 0; method < ORIENTATIONS; method++) {
    check_regions (method, 0);
    check_regions (method, 14);
  }
}
END_TEST

/* Masks are upright; with pixels that are not square they may be stretched as the picture is when it is shown, and nothing else. */
START_TEST (test_masks)
{
  const guint method = GST_VIDEO_ORIENTATION_90L;
  g_autofree guint8 *pixels = g_malloc (WIDTH * HEIGHT), *stretched = g_malloc (2 * WIDTH * HEIGHT);
  g_autofree char *file = NULL, *wide_file = NULL, *plain = NULL, *wide = NULL;
  GBytes *mask;

  ring_draw_objects (pixels, 0);
  for (guint i = 0; i < 2 * WIDTH * HEIGHT; i++)
    stretched[i] = pixels[i / 2];
  file = ring_write_mask (WIDTH, HEIGHT, pixels, PNG_FORMAT_GRAY);
  wide_file = ring_write_mask (2 * WIDTH, HEIGHT, stretched, PNG_FORMAT_GRAY);
  plain = g_strdup_printf ("rvmtrack colours=0 place=0 refine=0 mask-file=\"%s\"", file);
  wide = g_strdup_printf ("rvmtrack colours=0 place=0 refine=0 mask-file=\"%s\"", wide_file);
  for (guint i = 0; i < 2; i++) {
    /* Stored on its side, a pixel is half as wide as high. */
    GstHarness *harness = start (i ? wide : plain, method, ",pixel-aspect-ratio=1/2");
    g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, make_frame (0, method, 0));
    const GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (out);
    guint width, height;

    ck_assert_uint_eq (tracks->n_tracks, 2);
    for (guint k = 0; k < 2; k++) {
      assert_near (tracks->tracks[k].x, ring_objects[k][1] * CELL, 0.01);
      assert_near (tracks->tracks[k].y, ring_objects[k][2] * CELL, 0.01);
      assert_near (tracks->tracks[k].width, ring_objects[k][3] * CELL, 0.01);
    }
    mask = gst_rvm_track_meta_get_mask (tracks, &width, &height);
    ck_assert (width == WIDTH && height == HEIGHT);
    ck_assert_int_eq (memcmp (g_bytes_get_data (mask, NULL), pixels, WIDTH * HEIGHT), 0);
    g_bytes_unref (mask);
    gst_harness_teardown (harness);
  }
  {
    GstHarness *harness = start (wide, method, "");
    g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmtrack");
    g_autoptr (GstBus) bus = gst_bus_new ();
    g_autoptr (GstMessage) message = NULL;
    g_autoptr (GError) error = NULL;

    gst_element_set_bus (element, bus);
    ck_assert_int_ne (gst_harness_push (harness, make_frame (0, method, 0)), GST_FLOW_OK);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    ck_assert_ptr_ne (message, NULL);
    gst_message_parse_error (message, &error, NULL);
    ck_assert_msg (strstr (error->message, "320 x 120") && strstr (error->message, "160 x 120"), "%s", error->message);
    gst_element_set_bus (element, NULL);
    gst_harness_teardown (harness);
  }
  unlink (file);
  unlink (wide_file);
}
END_TEST

/* Where anything but the grey of the picture is, as x, y, width, height. */
static void
find_drawn (GstBuffer *buffer, guint width, guint height, guint drawn[4])
{
  guint right = 0, bottom = 0;
  GstMapInfo map;

  drawn[0] = width;
  drawn[1] = height;
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++)
      if (ABS (map.data[y * width + x] - 100) > 20) {
        drawn[0] = MIN (drawn[0], x);
        drawn[1] = MIN (drawn[1], y);
        right = MAX (right, x + 1);
        bottom = MAX (bottom, y + 1);
      }
  gst_buffer_unmap (buffer, &map);
  ck_assert (right > drawn[0] && bottom > drawn[1]);
  drawn[2] = right - drawn[0];
  drawn[3] = bottom - drawn[1];
}

/* A box is drawn where it lies in the stored picture, inside what is shown of it. */
START_TEST (test_drawing)
{
  for (guint method = 0; method < ORIENTATIONS; method++)
    for (guint left = 0; left <= 14; left += 14) {
      GstHarness *harness = start ("rvmtrack colours=0 place=0 refine=0 boxes=\"20,30,40,50\" ! rvmoverlay mode=none", method, "");
      g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, make_frame (0, method, left));
      const guint width = stored_width (method) + (left ? left + 10 : 0), height = stored_height (method) + (left ? 14 : 0);
      guint stored[4], drawn[4];

      store_box (method, left, box, stored);
      find_drawn (out, width, height, drawn);
      /* Half a line and a rim are outside; the number stands above the upright box, not far away. */
      ck_assert_msg (drawn[0] + 13 >= stored[0] && drawn[1] + 13 >= stored[1] && drawn[0] + drawn[2] <= stored[0] + stored[2] + 13
              && drawn[1] + drawn[3] <= stored[1] + stored[3] + 13 && drawn[2] >= stored[2] && drawn[3] >= stored[3],
          "orientation %u, margin %u: drawn %u,%u %u x %u, expected about %u,%u %u x %u", method, left, drawn[0], drawn[1], drawn[2], drawn[3],
          stored[0], stored[1], stored[2], stored[3]);
      gst_harness_teardown (harness);
    }
}
END_TEST

/* Colours cover all that is shown and nothing else; attached, they count from what is shown. */
START_TEST (test_colours)
{
  for (guint attached = 0; attached < 2; attached++) {
    const guint method = GST_VIDEO_ORIENTATION_90R;
    GstHarness *harness = gst_harness_new_parse ("rvmoverlay mode=pca alpha=1");
    g_autofree char *caps = g_strdup_printf ("video/x-raw,format=GRAY8,width=%u,height=%u,framerate=25/1", stored_width (method),
        stored_height (method));
    g_autoptr (GstBuffer) out = NULL;
    const GstVideoOverlayCompositionMeta *meta;

    if (attached)
      gst_harness_add_propose_allocation_meta (harness, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str (harness, caps);
    out = gst_harness_push_and_pull (harness, make_frame (0, method, 14));
    ck_assert_ptr_ne (out, NULL);
    meta = gst_buffer_get_video_overlay_composition_meta (out);
    ck_assert ((meta != NULL) == attached);
    if (attached) {
      gint x, y;
      guint width, height;

      gst_video_overlay_rectangle_get_render_rectangle (gst_video_overlay_composition_get_rectangle (meta->overlay, 0), &x, &y, &width, &height);
      ck_assert (x == 0 && y == 0 && width == HEIGHT && height == WIDTH);
    } else {
      guint drawn[4];

      find_drawn (out, HEIGHT + 24, WIDTH + 14, drawn);
      ck_assert (drawn[0] >= 14 && drawn[1] >= 6 && drawn[0] + drawn[2] <= 14 + HEIGHT && drawn[1] + drawn[3] <= 6 + WIDTH);
      ck_assert (drawn[2] > HEIGHT - 12 && drawn[3] > WIDTH - 12);
    }
    gst_harness_teardown (harness);
  }
}
END_TEST

/* A stored picture that is scaled: the upright one's width follows the stored height, and the metadata says how it is turned. */
START_TEST (test_scale)
{
  const guint method = GST_VIDEO_ORIENTATION_UL_LR;
  GstHarness *harness = start ("rvmtrack colours=0 place=0 refine=0 points=\"30,50\" ! videoscale add-borders=false ! capsfilter caps=video/x-raw,width=240,height=80,pixel-aspect-ratio=1/4",
      method, "");
  g_autoptr (GstBuffer) out = gst_harness_push_and_pull (harness, make_frame (0, method, 0));
  const GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (out);
  const GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (out);

  ck_assert (features && tracks);
  ck_assert (features->frame_width == 80 && features->frame_height == 240 && features->orientation == method);
  ck_assert (features->pixel_aspect_n == 4 && features->pixel_aspect_d == 1);
  ck_assert (tracks->frame_width == 80 && tracks->frame_height == 240 && tracks->orientation == method);
  assert_near (tracks->tracks[0].x, 15, 0.01);
  assert_near (tracks->tracks[0].y, 100, 0.01);
  gst_harness_teardown (harness);
}
END_TEST

/* Metadata that an application made, with an orientation that is none. */
START_TEST (test_no_orientation)
{
  GstHarness *harness = start ("rvmtrack colours=0 place=0 refine=0 points=\"30,50\"", 0, "");
  GstBuffer *frame = make_frame (0, 0, 0);

  gst_rvm_buffer_get_feature_meta (frame)->orientation = GST_VIDEO_ORIENTATION_AUTO;
  ck_assert_int_eq (gst_harness_push (harness, frame), GST_FLOW_ERROR);
  gst_harness_teardown (harness);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_regions);
  tcase_add_test (tests, test_masks);
  tcase_add_test (tests, test_drawing);
  tcase_add_test (tests, test_colours);
  tcase_add_test (tests, test_scale);
  tcase_add_test (tests, test_no_orientation);
  return run_cases ("tracks as they are shown", tests);
}
