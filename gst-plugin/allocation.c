/* A metadata API in an answer invites upstream to attach it. What these elements
 * understand is:
 * - GstVideoMeta, where the pixels lie in memory;
 * - GstVideoRegionOfInterestMeta, which names parts of the picture;
 * - GstVideoOverlayCompositionMeta, where only places or metadata matter: it lies
 *   over the picture and moves nothing.
 * Everything else is left out, known or unknown: upstream then does itself what it
 * would have left to a sink, and the picture in memory is the one that is shown. Of
 * those there are GstVideoCropMeta (the margins would be analysed and drawn on,
 * and places would count from them), GstVideoAffineTransformationMeta (the picture
 * would be turned or moved behind the metadata's back), and GL upload, whose pixels
 * are not in memory. Leaving them out costs a copy of the visible part, which is
 * nothing beside the analysis. */
#include "allocation.h"

#include <gst/video/video.h>

static gboolean
is_understood (GType api, gboolean drawings)
{
  return api == GST_VIDEO_META_API_TYPE || api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE
      || (drawings && api == GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE);
}

void
rvm_allocation_filter (GstQuery * query, gboolean drawings)
{
  for (guint i = gst_query_get_n_allocation_metas (query); i-- > 0;)
    if (!is_understood (gst_query_parse_nth_allocation_meta (query, i, NULL), drawings))
      gst_query_remove_nth_allocation_meta (query, i);
}

gboolean
rvm_allocation_propose (GstBaseTransform * base, GstQuery * query, gboolean drawings)
{
  const gboolean answered = gst_pad_peer_query (GST_BASE_TRANSFORM_SRC_PAD (base), query);

  rvm_allocation_filter (query, drawings);
  if (!gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL))
    gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return answered;
}
