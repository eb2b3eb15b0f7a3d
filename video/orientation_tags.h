/* RvmOrientationTags: what the tag image-orientation says about the pictures at a pad. It is given the events that arrive there, in their order. Used
 * by one thread. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct
{
  gchar *stream_id;
  gboolean of_stream;           /* there is a tag of the stream, which takes precedence over one of the container */
  GstVideoOrientationMethod stream, container;
} RvmOrientationTags;

void rvm_orientation_tags_clear (RvmOrientationTags * tags);

/* Handles a TAG or STREAM_START event that arrived at @pad, a sink pad (NULL: nothing upstream turns pictures), and ignores other events. A new
 * stream has none of the tags of the previous one. */
void rvm_orientation_tags_note (RvmOrientationTags * tags, GstPad * pad,
    GstEvent * event);

/* What still has to be done to the pictures to make them upright. */
GstVideoOrientationMethod rvm_orientation_tags_get (const RvmOrientationTags *
    tags);

G_END_DECLS
