/* RvmOrientationTags: what the tag image-orientation says about the pictures at a place in a pipeline. Fed with the events that arrive there,
 * in their order. Belongs to one thread. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct
{
  gchar *stream_id;
  gboolean of_stream;           /* by the stream itself, whose word counts more than its container's */
  GstVideoOrientationMethod stream, container;
} RvmOrientationTags;

void rvm_orientation_tags_clear (RvmOrientationTags * tags);

/* Takes note of a TAG or STREAM_START event that arrived at @pad, a sink pad (NULL: nothing upstream turns pictures). Other events are of no
 * interest. A new stream forgets the tags of the one before. */
void rvm_orientation_tags_note (RvmOrientationTags * tags, GstPad * pad,
    GstEvent * event);

/* What has still to be done to the pictures so that they are upright. */
GstVideoOrientationMethod rvm_orientation_tags_get (const RvmOrientationTags *
    tags);

G_END_DECLS
