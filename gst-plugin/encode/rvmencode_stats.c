/* What rvmencode counts. */
#include "rvmencode_private.h"

/* With the object lock: what a frame costs at most, of the last ones. The first
 * frame is left out, which waits for kernels to be built. What is answered
 * follows if it is too little, or more than twice too much, so that a pipeline
 * is not told of every breath. */
static gboolean
update_latency (RvmEncodeCounters * c, guint64 microseconds)
{
  guint64 most = 0;

  if (c->updates == 1)
    return FALSE;
  c->recent_us[c->updates % RVM_ENCODE_RECENT] = microseconds;
  for (guint i = 0; i < RVM_ENCODE_RECENT; i++)
    most = MAX (most, c->recent_us[i]);
  if (most <= c->latency_us && most >= c->latency_us / 2)
    return FALSE;
  /* Room for the next frame to be a little slower. */
  c->latency_us = most + most / 4;
  return TRUE;
}

gboolean
gst_rvm_encode_count_update (GstRvmEncode * self,
    const GstRvmFeatureMeta * origin, const RvmEncodeResult * result,
    guint64 microseconds)
{
  RvmEncodeCounters *c = &self->counters;
  gboolean changed;

  GST_OBJECT_LOCK (self);
  if (origin->generation != c->generation) {
    c->resets += !origin->restored && c->generation > 0;
    c->restores += origin->restored;
    c->generation = origin->generation;
  }
  c->updates++;
  c->total_us += microseconds;
  c->max_us = MAX (c->max_us, microseconds);
  c->health = result->health;
  c->similarity = result->similarity;
  changed = update_latency (c, microseconds);
  GST_OBJECT_UNLOCK (self);
  return changed;
}

GstStructure *
gst_rvm_encode_get_stats (GstRvmEncode * self)
{
  g_autoptr (RvmState) state = NULL;
  g_autofree gchar *hash = NULL;
  RvmEncodeCounters c;
  guint width, height;

  GST_OBJECT_LOCK (self);
  c = self->counters;
  width = self->width;
  height = self->height;
  if (self->state)
    state = rvm_state_ref (self->state);
  GST_OBJECT_UNLOCK (self);
  if (state)
    hash = rvm_state_get_hash (state);
  return gst_structure_new ("rvmencode-stats",
      "frames", G_TYPE_UINT64, c.frames, "skipped", G_TYPE_UINT64, c.skipped,
      "carried", G_TYPE_UINT64, c.carried,
      "dropped", G_TYPE_UINT64, c.dropped, "still", G_TYPE_UINT64, c.still,
      "resets", G_TYPE_UINT64, c.resets, "restores", G_TYPE_UINT64, c.restores,
      "mean-us", G_TYPE_DOUBLE,
      c.updates ? (gdouble) c.total_us / c.updates : 0.0,
      "max-us", G_TYPE_UINT64, c.max_us,
      "latency-us", G_TYPE_UINT64, c.latency_us,
      "state-norm", G_TYPE_DOUBLE, (gdouble) c.health.state_norm,
      "mean-update-gate", G_TYPE_DOUBLE, (gdouble) c.health.update_mean,
      "scene-similarity", G_TYPE_DOUBLE, c.similarity,
      "state-hash", G_TYPE_STRING, hash,
      "snapshots", G_TYPE_UINT, c.snapshots,
      "snapshot-bytes", G_TYPE_UINT64, c.snapshot_bytes,
      "stream-bytes", G_TYPE_UINT64, c.stream_bytes,
      "analysis-width", G_TYPE_UINT, width,
      "analysis-height", G_TYPE_UINT, height, NULL);
}
