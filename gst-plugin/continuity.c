/* One comparison for all elements that remember something from one frame to the next. */
#include "continuity.h"

/* Of one source. */
static RvmContinuity
compare (const RvmSeen * seen, const GstRvmFeatureMeta * meta)
{
  if (meta->generation != seen->generation || g_strcmp0 (meta->model_id, seen->model_id) != 0)
    return RVM_CONTINUITY_RESET;
  if (meta->source)
    return meta->update == seen->update ? RVM_CONTINUITY_SAME
        : meta->update > seen->update ? RVM_CONTINUITY_NEXT : RVM_CONTINUITY_RESET;
  if (meta->carried)
    return RVM_CONTINUITY_SAME;
  return meta->frames_since_reset == 0 || meta->frames_since_reset > seen->frames_since_reset ? RVM_CONTINUITY_NEXT
      : RVM_CONTINUITY_RESET;
}

RvmContinuity
rvm_seen_update (RvmSeen * seen, const GstRvmFeatureMeta * meta)
{
  const RvmContinuity continuity = seen->any && seen->source == meta->source ? compare (seen, meta) : RVM_CONTINUITY_OTHER;

  if (g_strcmp0 (meta->model_id, seen->model_id) != 0) {
    g_free (seen->model_id);
    seen->model_id = g_strdup (meta->model_id);
  }
  seen->any = TRUE;
  seen->source = meta->source;
  seen->update = meta->update;
  seen->generation = meta->generation;
  seen->frames_since_reset = meta->frames_since_reset;
  return continuity;
}

void
rvm_seen_clear (RvmSeen * seen)
{
  g_free (seen->model_id);
  *seen = (RvmSeen) { 0 };
}

gboolean
rvm_stream_id_update (gchar ** id, GstEvent * event)
{
  g_autofree gchar *before = *id;
  const gchar *now;

  gst_event_parse_stream_start (event, &now);
  *id = g_strdup (now);
  return before && g_strcmp0 (before, now) != 0;
}
