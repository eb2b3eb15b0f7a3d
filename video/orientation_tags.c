/* The rule is that of videoflip from GStreamer 1.24 on: the last tag of the stream counts; if there is none, the last tag of the container. */
#include "orientation_tags.h"

#include "orientation.h"

#define MAX_DEPTH 256           /* elements upstream that are searched */

void
rvm_orientation_tags_clear (RvmOrientationTags * tags)
{
  g_free (tags->stream_id);
  *tags = (RvmOrientationTags) { 0 };
}

/* Finds the orientation in @list, if there is one. */
static gboolean
read_tag (const GstTagList * list, GstVideoOrientationMethod * method)
{
  return gst_video_orientation_from_tag ((GstTagList *) list, method) && rvm_orientation_is_valid (*method);
}

/* Whether a tag that @pad, a source pad, has forwarded says that the pictures are not upright. */
static gboolean
sends_orientation (GstPad * pad)
{
  GstVideoOrientationMethod method;
  GstEvent *event;
  gboolean found = FALSE;

  for (guint i = 0; !found && (event = gst_pad_get_sticky_event (pad, GST_EVENT_TAG, i)); i++) {
    GstTagList *list;

    gst_event_parse_tag (event, &list);
    found = read_tag (list, &method) && method != GST_VIDEO_ORIENTATION_IDENTITY;
    gst_event_unref (event);
  }
  return found;
}

static gboolean
turns_by_tag (GstElement * element)
{
  GstVideoOrientationMethod method = GST_VIDEO_ORIENTATION_IDENTITY;

  if (GST_IS_VIDEO_DIRECTION (element))
    g_object_get (element, "video-direction", &method, NULL);
  return method == GST_VIDEO_ORIENTATION_AUTO;
}

static gboolean was_turned (GstPad * sink, guint depth);

typedef struct
{
  guint depth;
} Search;

static gint
compare_turned (gconstpointer value, gconstpointer search)
{
  return was_turned (g_value_get_object (value), ((const Search *) search)->depth) ? 0 : 1;
}

/* Whether an element upstream of @sink has turned the pictures according to a tag, and has then forwarded the tag unchanged, as videoflip does in
 * GStreamer 1.22.0. Later versions forward a tag which says that nothing is left to be done. */
static gboolean
was_turned (GstPad * sink, guint depth)
{
  g_autoptr (GstPad) source = gst_pad_get_peer (sink);
  g_autoptr (GstElement) element = source ? gst_pad_get_parent_element (source) : NULL;
  GstIterator *links;
  Search search = {.depth = depth + 1 };
  GValue found = G_VALUE_INIT;
  gboolean turned;

  if (source == NULL || depth > MAX_DEPTH)
    return FALSE;
  if (element && turns_by_tag (element) && sends_orientation (source))
    return TRUE;
  links = gst_pad_iterate_internal_links (source);
  if (links == NULL)
    return FALSE;
  turned = gst_iterator_find_custom (links, compare_turned, &found, &search);
  if (turned)
    g_value_unset (&found);
  gst_iterator_free (links);
  return turned;
}

static void
note_stream (RvmOrientationTags * tags, GstEvent * event)
{
  const gchar *id;

  gst_event_parse_stream_start (event, &id);
  if (g_strcmp0 (id, tags->stream_id) == 0)
    return;
  rvm_orientation_tags_clear (tags);
  tags->stream_id = g_strdup (id);
}

static void
note_tag (RvmOrientationTags * tags, GstPad * pad, GstEvent * event)
{
  GstVideoOrientationMethod method = GST_VIDEO_ORIENTATION_IDENTITY;
  GstTagList *list;
  gboolean found;

  gst_event_parse_tag (event, &list);
  found = read_tag (list, &method);
  if (found && method != GST_VIDEO_ORIENTATION_IDENTITY && pad && was_turned (pad, 0))
    method = GST_VIDEO_ORIENTATION_IDENTITY;
  if (gst_tag_list_get_scope (list) == GST_TAG_SCOPE_STREAM) {
    tags->of_stream = found;
    tags->stream = method;
  } else {
    tags->container = found ? method : GST_VIDEO_ORIENTATION_IDENTITY;
  }
}

void
rvm_orientation_tags_note (RvmOrientationTags * tags, GstPad * pad, GstEvent * event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START)
    note_stream (tags, event);
  else if (GST_EVENT_TYPE (event) == GST_EVENT_TAG)
    note_tag (tags, pad, event);
}

GstVideoOrientationMethod
rvm_orientation_tags_get (const RvmOrientationTags * tags)
{
  return tags->of_stream ? tags->stream : tags->container;
}
