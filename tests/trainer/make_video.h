/* Video that tests of the trainer's data make, for programs that use libcheck. */
#pragma once

#include <check.h>
#include <gst/gst.h>

/* @pattern: of videotestsrc. Motion JPEG in Matroska, 25 frames a second. */
static void
make_video (const char *path, const char *pattern, guint frames, guint width, guint height)
{
  g_autofree char *line = g_strdup_printf ("videotestsrc num-buffers=%u pattern=%s ! video/x-raw,width=%u,height=%u,framerate=25/1 ! jpegenc ! "
                                           "matroskamux ! filesink location=%s", frames, pattern, width, height, path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, &error);
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  ck_assert_msg (error == NULL, "%s", error ? error->message : "");
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ck_assert (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}
