/* What the tests of rvmoverlay share: a harness around it, and black frames. */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <math.h>

#include "gstrvmtrackmeta.h"
#include "tests/run_cases.h"

#define WIDTH 160
#define HEIGHT 120
#define RGB_CAPS "video/x-raw,format=RGB,width=160,height=120,framerate=25/1"

#define assert_near(a, b, tolerance) \
  ck_assert_msg (fabs ((double) (a) - (double) (b)) <= (tolerance), "%s is %g, expected %g", #a, (double) (a), (double) (b))

G_GNUC_UNUSED static GstHarness *
start (const char *settings, const char *caps)
{
  g_autofree char *launch = g_strdup_printf ("rvmoverlay alpha=1 %s", settings);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_src_caps_str (harness, caps);
  return harness;
}

/* A frame of zeros, which is black in RGB. */
G_GNUC_UNUSED static GstBuffer *
make_frame (const char *caps, guint index)
{
  g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
  GstVideoInfo info;
  GstBuffer *buffer;

  ck_assert (gst_video_info_from_caps (&info, parsed));
  buffer = gst_buffer_new_allocate (NULL, info.size, NULL);
  gst_buffer_memset (buffer, 0, 0, info.size);
  GST_BUFFER_PTS (buffer) = index * 40 * GST_MSECOND;
  return buffer;
}
