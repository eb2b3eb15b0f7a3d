/* What the tests of rvmencode share: a harness around it with the tests' model, random pictures, and the features of a buffer. */
#pragma once

#include <glib/gstdio.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <string.h>

#include "gstrvmmeta.h"
#include "tests/run_cases.h"

#define MODEL TEST_DATA "/tiny.npz"
#define CAPS "video/x-raw,format=RGB,width=64,height=48,framerate=25/1"
#define FRAME_TIME (40 * GST_MSECOND)
#define WAIT_SECONDS 150 /* for what happens in the background; ThreadSanitizer needs most of it to load the bundled model */

G_GNUC_UNUSED static GstHarness *
start (const char *settings, const char *caps)
{
  g_autofree char *launch = g_strdup_printf ("rvmencode model-file=\"%s\" %s", MODEL, settings);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, caps);
  return harness;
}

/* A picture that depends on @seed, of the size in bytes of the caps. */
G_GNUC_UNUSED static GstBuffer *
make_frame (gsize size, guint seed, guint index)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < size; i++)
    map.data[i] = g_rand_int (rand);
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = index * FRAME_TIME;
  GST_BUFFER_DURATION (buffer) = FRAME_TIME;
  return buffer;
}

/* Frame @index with the picture @seed through a harness of CAPS. */
G_GNUC_UNUSED static GstBuffer *
step (GstHarness *harness, guint seed, guint index)
{
  GstBuffer *buffer = gst_harness_push_and_pull (harness, make_frame (64 * 48 * 3, seed, index));

  ck_assert_ptr_ne (buffer, NULL);
  return buffer;
}

G_GNUC_UNUSED static GBytes *
features_of (GstBuffer *buffer)
{
  GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);

  ck_assert_ptr_ne (meta, NULL);
  return gst_rvm_feature_meta_get_data (meta);
}

/* The same, of frame @index with the picture of that number. */
G_GNUC_UNUSED static GBytes *
features_at (GstHarness *harness, guint index)
{
  g_autoptr (GstBuffer) buffer = step (harness, index, index);

  return features_of (buffer);
}

G_GNUC_UNUSED static guint64
get_stat (GstHarness *harness, const char *name)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstStructure) stats = NULL;
  guint64 value;
  guint small;

  g_object_get (element, "stats", &stats, NULL);
  if (gst_structure_get_uint (stats, name, &small))
    return small;
  ck_assert_msg (gst_structure_get_uint64 (stats, name, &value), "no statistic '%s'", name);
  return value;
}

G_GNUC_UNUSED static char *
get_state_hash (GstHarness *harness)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstStructure) stats = NULL;

  g_object_get (element, "stats", &stats, NULL);
  return g_strdup (gst_structure_get_string (stats, "state-hash"));
}

/* The warning or error of @type that is on @bus must have both parts in its text. */
G_GNUC_UNUSED static void
expect_message (GstBus *bus, GstMessageType type, const char *part, const char *other)
{
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, WAIT_SECONDS * GST_SECOND, type);
  g_autoptr (GError) error = NULL;

  ck_assert_msg (message != NULL, "no message that names '%s'", part);
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  ck_assert_msg (strstr (error->message, part) && strstr (error->message, other), "'%s' does not name '%s' and '%s'", error->message, part,
      other);
}

/* A bus for a harness's element, which has none. */
G_GNUC_UNUSED static GstBus *
add_bus (GstHarness *harness)
{
  GstBus *bus = gst_bus_new ();
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  gst_element_set_bus (element, bus);
  return bus;
}

/* A flushing seek, as an element sees it: the next buffers are of @time and later. */
G_GNUC_UNUSED static void
seek (GstHarness *harness, GstClockTime time)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = segment.position = time;
  ck_assert (gst_harness_push_event (harness, gst_event_new_flush_start ()));
  ck_assert (gst_harness_push_event (harness, gst_event_new_flush_stop (TRUE)));
  ck_assert (gst_harness_push_event (harness, gst_event_new_segment (&segment)));
}
