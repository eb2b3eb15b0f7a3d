/* What the elements answer to ALLOCATION queries. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

/* Removes from the answer to @query the metadata that would make upstream leave work on the picture to downstream. @drawings: whether upstream may leave
 * what it draws to downstream. */
void rvm_allocation_filter (GstQuery * query, gboolean drawings);

/* For an element through which pictures pass as they are: downstream's answer to @query, so that upstream uses downstream's memory (unixfdsink, for
 * one, takes no other), filtered, and that GstVideoMeta is understood. Returns whether downstream answered. */
gboolean rvm_allocation_propose (GstBaseTransform * base, GstQuery * query,
    gboolean drawings);

G_END_DECLS
