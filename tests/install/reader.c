/* What a C application does: features read off buffers, built with nothing but pkg-config's flags. Prints the grid and the sum of the class
 * token's squares of each frame. */
#include <gstrvmmeta.h>
#include <stdio.h>

static void
handle (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer frames)
{
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);
  g_autoptr (GBytes) token = meta ? gst_rvm_feature_meta_get_class_token (meta) : NULL;
  const float *values = token ? g_bytes_get_data (token, NULL) : NULL;
  double sum = 0;

  for (guint i = 0; values && i < meta->dim; i++)
    sum += (double) values[i] * values[i];
  if (values && sum > 0) {
    ++*(int *) frames;
    printf ("%u x %u patches of %u, class token's norm squared %.6g\n", meta->rows, meta->columns, meta->dim, sum);
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GstElement) pipeline = NULL, sink = NULL;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GstBus) bus = NULL;
  int frames = 0;

  gst_init (&argc, &argv);
  pipeline = gst_parse_launch ("videotestsrc num-buffers=5 ! rvmencode size=64 ! fakesink name=sink signal-handoffs=true", NULL);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_signal_connect (sink, "handoff", G_CALLBACK (handle), &frames);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return frames == 5 && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS ? 0 : 1;
}
