/* Label propagation over a ring of context frames.
 *
 * The ring has one more frame than the context, so that the frame being pushed can be packed into the ring while the context is still complete. The
 * context of a group is the frame on which it was given (its anchor), without a limit of distance, and a queue of `context` frames. The queue starts
 * as copies of the anchor, which are one entry that counts many times. Candidates are found once for all groups. */
#include "propagate.h"

#include <string.h>

#include "kernels/ops/propagate.h"

#define MAX_CONTEXT 256

typedef struct {
  RvmBuffer *packed; /* (padded * dim) */
  guint64 frame;
  guint users;
} Anchor;

typedef struct {
  guint id, channels;
  Anchor *anchor;
  RvmBuffer *labels;  /* (ring + 1, cells, channels): the ring's frames, then the anchor */
  RvmBuffer *entries; /* (ring + 1) RvmPropagateEntry */
  GArray *host_entries;
} Group;

struct _RvmPropagation {
  RvmPropagationSettings settings;
  RvmPropagateShape shape;
  RvmDevice *device;
  RvmQueue *queue;
  RvmBuffer *features;         /* (cells, dim - extra) */
  RvmBuffer *beside;           /* (cells, extra), or NULL */
  RvmBuffer *query;            /* (cells, dim) */
  RvmBuffer *moments;          /* (2, dim - extra), or NULL: features are compared as they are */
  RvmBuffer *packed;           /* (ring, padded * dim) */
  RvmBuffer *value, *where;    /* (ring + 2 anchors, cells, top) */
  guint ring, candidate_frames, last_id;
  guint64 frames; /* pushed */
  GPtrArray *groups, *anchors;
};

static void
anchor_free (gpointer data)
{
  Anchor *anchor = data;

  rvm_buffer_unref (anchor->packed);
  g_free (anchor);
}

static void
group_free (gpointer data)
{
  Group *group = data;

  g_clear_pointer (&group->labels, rvm_buffer_unref);
  g_clear_pointer (&group->entries, rvm_buffer_unref);
  g_array_unref (group->host_entries);
  g_free (group);
}

/* Room for the candidates of ring and anchors. */
static gboolean
reserve_candidates (RvmPropagation *p, guint anchors, GError **error)
{
  const guint frames = p->ring + 2 * anchors;
  const gsize size = (gsize) frames * p->shape.cells * p->shape.top * sizeof (float);

  if (frames <= p->candidate_frames)
    return TRUE;
  g_clear_pointer (&p->value, rvm_buffer_unref);
  g_clear_pointer (&p->where, rvm_buffer_unref);
  p->candidate_frames = 0;
  p->value = rvm_buffer_new (p->device, size, "candidates of label propagation", error);
  p->where = p->value ? rvm_buffer_new (p->device, size, "candidates of label propagation", error) : NULL;
  if (p->where == NULL)
    return FALSE;
  p->candidate_frames = frames;
  return TRUE;
}

RvmPropagation *
rvm_propagation_new (RvmDevice *device, guint rows, guint columns, guint dim, const RvmPropagationSettings *settings, GError **error)
{
  g_autoptr (RvmPropagation) p = NULL;
  gsize frame;

  if (settings->context > MAX_CONTEXT || settings->top < 1 || settings->top > RVM_PROPAGATE_MAX_TOP || !(settings->temperature > 0)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "label propagation with context %u, top %u, temperature %g: expected a context of at most %u, a top of 1 to %u, a temperature above 0",
        settings->context, settings->top, settings->temperature, MAX_CONTEXT, RVM_PROPAGATE_MAX_TOP);
    return NULL;
  }
  if (rows == 0 || columns == 0 || dim == 0 || rows > 4096 || columns > 4096 || dim > 16384 || settings->extra > 16384) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "label propagation on a grid of %u x %u features of %u floats, and %u beside", rows, columns, dim,
        settings->extra);
    return NULL;
  }
  p = g_new0 (RvmPropagation, 1);
  p->settings = *settings;
  p->groups = g_ptr_array_new_with_free_func (group_free);
  p->anchors = g_ptr_array_new_with_free_func (anchor_free);
  p->device = rvm_device_ref (device);
  p->ring = settings->context + 1;
  p->shape = (RvmPropagateShape){ .cells = rows * columns, .columns = columns, .dim = dim + settings->extra, .extra = settings->extra, .top = settings->top };
  p->shape.padded = rvm_propagate_pad (device, p->shape.cells);
  frame = (gsize) p->shape.padded * p->shape.dim;
  /* Kernels count floats with 32 bits. */
  if (frame > G_MAXUINT32 / p->ring) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "label propagation cannot remember %u frames of %u x %u features of %u floats",
        settings->context, rows, columns, dim);
    return NULL;
  }
  p->queue = rvm_queue_new (device, FALSE, error);
  if (p->queue == NULL)
    return NULL;
  p->features = rvm_buffer_new (device, (gsize) p->shape.cells * dim * sizeof (float), "features to propagate with", error);
  if (p->features && settings->extra)
    p->beside = rvm_buffer_new (device, (gsize) p->shape.cells * settings->extra * sizeof (float), "what is compared beside features", error);
  if (p->features && (p->beside || settings->extra == 0))
    p->query = rvm_buffer_new (device, (gsize) p->shape.cells * p->shape.dim * sizeof (float), "features to propagate with", error);
  p->packed = p->query ? rvm_buffer_new (device, p->ring * frame * sizeof (float), "context of label propagation", error) : NULL;
  if (p->packed && settings->standardise)
    p->moments = rvm_buffer_new (device, 2 * (gsize) dim * sizeof (float), "moments of features", error);
  if (p->packed == NULL || (settings->standardise && p->moments == NULL) || !reserve_candidates (p, 1, error))
    return NULL;
  return g_steal_pointer (&p);
}

void
rvm_propagation_free (RvmPropagation *p)
{
  if (p == NULL)
    return;
  if (p->queue)
    rvm_queue_finish (p->queue, NULL);
  g_ptr_array_unref (p->groups);
  g_ptr_array_unref (p->anchors);
  g_clear_pointer (&p->features, rvm_buffer_unref);
  g_clear_pointer (&p->beside, rvm_buffer_unref);
  g_clear_pointer (&p->query, rvm_buffer_unref);
  g_clear_pointer (&p->moments, rvm_buffer_unref);
  g_clear_pointer (&p->packed, rvm_buffer_unref);
  g_clear_pointer (&p->value, rvm_buffer_unref);
  g_clear_pointer (&p->where, rvm_buffer_unref);
  g_clear_pointer (&p->queue, rvm_queue_free);
  rvm_device_unref (p->device);
  g_free (p);
}

static void
add_entry (Group *group, guint candidates, guint labels, guint copies)
{
  const RvmPropagateEntry entry = { .candidates = candidates, .labels = labels, .copies = copies };

  g_array_append_val (group->host_entries, entry);
}

/* Computes the labels of frame @now from the context of @group. The candidates of its anchor are at @anchor_slot (without a limit of distance) and
 * the slot after it. */
static void
carry (RvmPropagation *p, Group *group, guint anchor_slot, guint64 now)
{
  const guint context = p->settings.context;
  const guint64 age = now - group->anchor->frame, oldest = MAX (group->anchor->frame + 1, now - MIN (now, context));

  g_array_set_size (group->host_entries, 0);
  add_entry (group, anchor_slot, p->ring, 1);
  if (age <= context)
    add_entry (group, anchor_slot + 1, p->ring, context - (age - 1));
  for (guint64 frame = oldest; frame < now; frame++)
    add_entry (group, frame % p->ring, frame % p->ring, 1);
  rvm_queue_write (p->queue, group->entries, 0, group->host_entries->data, group->host_entries->len * sizeof (RvmPropagateEntry));
  rvm_propagate_labels (p->queue, &p->shape, p->value, p->where, group->entries, group->host_entries->len, group->labels, now % p->ring,
      group->channels, p->settings.temperature);
}

gboolean
rvm_propagation_push (RvmPropagation *p, const float *features, const float *beside, GError **error)
{
  const guint64 now = p->frames;
  const guint slot = now % p->ring, extra = p->shape.extra;

  rvm_queue_write (p->queue, p->features, 0, features, (gsize) p->shape.cells * (p->shape.dim - extra) * sizeof (float));
  if (extra)
    rvm_queue_write (p->queue, p->beside, 0, beside, (gsize) p->shape.cells * extra * sizeof (float));
  rvm_propagate_normalise (p->queue, &p->shape, p->features, p->moments, p->beside, p->query, p->packed, slot);
  if (p->groups->len) {
    rvm_propagate_candidates (p->queue, &p->shape, p->query, p->packed, MIN (now, p->ring), slot, p->settings.radius, p->value, p->where, 0);
    for (guint i = 0; i < p->anchors->len; i++) {
      const Anchor *anchor = g_ptr_array_index (p->anchors, i);
      const guint at = p->ring + 2 * i;

      rvm_propagate_candidates (p->queue, &p->shape, p->query, anchor->packed, 1, G_MAXUINT, 0, p->value, p->where, at);
      if (now - anchor->frame <= p->settings.context)
        rvm_propagate_candidates (p->queue, &p->shape, p->query, anchor->packed, 1, G_MAXUINT, p->settings.radius, p->value, p->where, at + 1);
    }
  }
  for (guint i = 0; i < p->groups->len; i++) {
    Group *group = g_ptr_array_index (p->groups, i);
    guint index = 0;

    g_ptr_array_find (p->anchors, group->anchor, &index);
    carry (p, group, p->ring + 2 * index, now);
  }
  p->frames++;
  return rvm_queue_finish (p->queue, error);
}

/* The anchor of the frame pushed last. */
static Anchor *
get_anchor (RvmPropagation *p, GError **error)
{
  const guint64 now = p->frames - 1;
  const gsize size = (gsize) p->shape.padded * p->shape.dim * sizeof (float);
  Anchor *anchor = p->anchors->len ? g_ptr_array_index (p->anchors, p->anchors->len - 1) : NULL;
  RvmBuffer *packed;

  if (anchor && anchor->frame == now)
    return anchor;
  packed = reserve_candidates (p, p->anchors->len + 1, error) ? rvm_buffer_new (p->device, size, "features of a first frame", error) : NULL;
  if (packed == NULL)
    return NULL;
  anchor = g_new0 (Anchor, 1);
  anchor->packed = packed;
  anchor->frame = now;
  g_ptr_array_add (p->anchors, anchor);
  rvm_queue_copy (p->queue, p->packed, now % p->ring * size, packed, 0, size);
  return anchor;
}

guint
rvm_propagation_add (RvmPropagation *p, const float *labels, guint channels, GError **error)
{
  const gsize frame = (gsize) p->shape.cells * channels;
  Group *group;
  Anchor *anchor;

  if (p->frames == 0 || channels < 1 || frame > G_MAXUINT32 / (p->ring + 1)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, p->frames ? "label propagation with %u labels on a grid of %u cells"
                                                                 : "label propagation: labels (%u, on %u cells) before the first frame",
        channels, p->shape.cells);
    return 0;
  }
  anchor = get_anchor (p, error);
  if (anchor == NULL)
    return 0;
  group = g_new0 (Group, 1);
  group->channels = channels;
  group->anchor = anchor;
  group->host_entries = g_array_new (FALSE, FALSE, sizeof (RvmPropagateEntry));
  anchor->users++;
  group->labels = rvm_buffer_new (p->device, (p->ring + 1) * frame * sizeof (float), "labels", error);
  group->entries = group->labels ? rvm_buffer_new (p->device, (p->ring + 2) * sizeof (RvmPropagateEntry), "context of labels", error) : NULL;
  group->id = ++p->last_id;
  g_ptr_array_add (p->groups, group);
  if (group->entries)
    rvm_queue_write (p->queue, group->labels, p->ring * frame * sizeof (float), labels, frame * sizeof (float));
  if (group->entries == NULL || !rvm_queue_finish (p->queue, error)) {
    rvm_propagation_remove (p, group->id);
    return 0;
  }
  return group->id;
}

static Group *
find_group (RvmPropagation *p, guint id)
{
  for (guint i = 0; i < p->groups->len; i++) {
    Group *group = g_ptr_array_index (p->groups, i);
    if (group->id == id)
      return group;
  }
  return NULL;
}

gboolean
rvm_propagation_remove (RvmPropagation *p, guint id)
{
  Group *group = find_group (p, id);
  Anchor *anchor;

  if (group == NULL)
    return FALSE;
  anchor = group->anchor;
  g_ptr_array_remove (p->groups, group);
  if (--anchor->users == 0)
    g_ptr_array_remove (p->anchors, anchor);
  return TRUE;
}

static Group *
expect_group (RvmPropagation *p, guint id, GError **error)
{
  Group *group = find_group (p, id);

  if (group == NULL)
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "label propagation has no group %u", id);
  return group;
}

gboolean
rvm_propagation_read (RvmPropagation *p, guint id, float *labels, GError **error)
{
  const Group *group = expect_group (p, id, error);
  gsize size;
  guint frame;

  if (group == NULL)
    return FALSE;
  size = (gsize) p->shape.cells * group->channels * sizeof (float);
  frame = group->anchor->frame == p->frames - 1 ? p->ring : (p->frames - 1) % p->ring;
  rvm_queue_read (p->queue, group->labels, frame * size, labels, size);
  return rvm_queue_finish (p->queue, error);
}

gboolean
rvm_propagation_write (RvmPropagation *p, guint id, const float *labels, GError **error)
{
  const Group *group = expect_group (p, id, error);
  gsize size;

  if (group == NULL)
    return FALSE;
  if (group->anchor->frame == p->frames - 1) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "label propagation: the labels that group %u was given cannot be replaced", id);
    return FALSE;
  }
  size = (gsize) p->shape.cells * group->channels * sizeof (float);
  rvm_queue_write (p->queue, group->labels, (p->frames - 1) % p->ring * size, labels, size);
  return rvm_queue_finish (p->queue, error);
}

gboolean
rvm_propagation_read_matches (RvmPropagation *p, guint id, float *value, guint32 *where, GError **error)
{
  const Group *group = expect_group (p, id, error);
  const gsize size = (gsize) p->shape.cells * p->shape.top * sizeof (float);
  guint index = 0;

  if (group == NULL || group->anchor->frame == p->frames - 1)
    return FALSE;
  g_ptr_array_find (p->anchors, group->anchor, &index);
  rvm_queue_read (p->queue, p->value, (p->ring + 2 * index) * size, value, size);
  rvm_queue_read (p->queue, p->where, (p->ring + 2 * index) * size, where, size);
  return rvm_queue_finish (p->queue, error);
}
