/* Whether the features of a buffer continue those of the buffer before: by the number of their source and the number of the analysed frame in it
 * (GstRvmFeatureMeta's source and update), not by guesses. Features whose source is unknown (0: rvmencode did not make them) are judged by
 * carried, generation and frames_since_reset. */
#pragma once

#include "meta/gstrvmmeta.h"

G_BEGIN_DECLS

typedef enum
{
  RVM_CONTINUITY_SAME,          /* the features of the buffer before, carried or repeated */
  RVM_CONTINUITY_NEXT,          /* of a later frame */
  RVM_CONTINUITY_RESET,         /* of the same source, after a reset or a step back, or by other weights */
  RVM_CONTINUITY_OTHER,         /* of another source, or the first */
} RvmContinuity;

/* The features seen last; all zeros before the first. */
typedef struct
{
  gboolean any;
  guint64 source, update, generation, frames_since_reset;
  gchar *model_id;
} RvmSeen;

/* How @meta goes on from @seen, which is @meta from then on. */
RvmContinuity rvm_seen_update (RvmSeen * seen, const GstRvmFeatureMeta * meta);
/* What comes next is of another source. Frees what @seen holds. */
void rvm_seen_clear (RvmSeen * seen);

/* Keeps the stream id of @event, STREAM_START, in @id. Whether another stream than before begins; the first is no other. */
gboolean rvm_stream_id_update (gchar ** id, GstEvent * event);

G_END_DECLS
