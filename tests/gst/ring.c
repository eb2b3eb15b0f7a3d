#include "ring.h"

#include <gst/check/gstcheck.h>
#include <string.h>
#include <unistd.h>

GstBuffer *
ring_make_frame (guint index, guint64 generation, gboolean carried)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 160 * 120, NULL);
  float *values = g_new (float, ROWS * COLUMNS * DIM);
  g_autoptr (GBytes) data = NULL;
  GstRvmFeatureMeta *meta;

  for (guint row = 0; row < ROWS; row++)
    for (guint column = 0; column < COLUMNS; column++) {
      g_autoptr (GRand) rand = g_rand_new_with_seed (1 + row * 1000 + (column + 4 * COLUMNS - index) % COLUMNS);
      for (guint d = 0; d < DIM; d++)
        values[(row * COLUMNS + column) * DIM + d] = g_rand_double_range (rand, -1, 1);
    }
  data = g_bytes_new_take (values, ROWS * COLUMNS * DIM * sizeof (float));
  meta = gst_rvm_buffer_add_feature_meta (buffer, GST_RVM_FEATURE_PATCHES, ROWS, COLUMNS, DIM, data, "made here");
  meta->generation = generation;
  meta->carried = carried;
  meta->frame_width = 160;
  meta->frame_height = 120;
  GST_BUFFER_PTS (buffer) = index * 40 * GST_MSECOND;
  return buffer;
}

const guint ring_objects[2][5] = { { 5, 2, 3, 4, 3 }, { 9, 7, 6, 3, 4 } };

void
ring_draw_objects (guint8 *pixels, guint index)
{
  memset (pixels, 0, 160 * 120);
  for (guint i = 0; i < 2; i++)
    for (guint y = ring_objects[i][2] * CELL; y < (ring_objects[i][2] + ring_objects[i][4]) * CELL; y++)
      memset (pixels + y * 160 + (ring_objects[i][1] + index) * CELL, ring_objects[i][0], ring_objects[i][3] * CELL);
}

char *
ring_write_mask (guint width, guint height, const guint8 *pixels, png_uint_32 format)
{
  char *path = g_build_filename (g_get_tmp_dir (), "rvm-mask-XXXXXX", NULL);
  png_image image = { .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = format };

  ck_assert_int_ge (g_mkstemp (path), 0);
  ck_assert (png_image_write_to_file (&image, path, FALSE, pixels, 0, NULL));
  return path;
}

GstHarness *
ring_start (const char *settings)
{
  g_autofree char *launch = g_strdup_printf ("rvmtrack colours=0 place=0 refine=0 %s", settings);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, CAPS);
  return harness;
}

GstBuffer *
ring_step (GstHarness *harness, guint index, guint64 generation)
{
  GstBuffer *buffer = gst_harness_push_and_pull (harness, ring_make_frame (index, generation, FALSE));

  ck_assert_ptr_ne (buffer, NULL);
  return buffer;
}
