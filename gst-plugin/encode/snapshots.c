/* A list in the order of arrival, searched from end to end: a lookup happens
 * once a seek, an insertion looks at a few hundred times at most. */
#include "snapshots.h"

struct _RvmSnapshots
{
  GQueue entries;               /* of Entry, the oldest arrival first */
};

typedef struct
{
  RvmState *state;
  guint64 generation;
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  rvm_state_unref (entry->state);
  g_free (entry);
}

RvmSnapshots *
rvm_snapshots_new (void)
{
  RvmSnapshots *snapshots = g_new0 (RvmSnapshots, 1);

  g_queue_init (&snapshots->entries);
  return snapshots;
}

void
rvm_snapshots_clear (RvmSnapshots * snapshots)
{
  g_queue_clear_full (&snapshots->entries, entry_free);
}

void
rvm_snapshots_free (RvmSnapshots * snapshots)
{
  if (snapshots == NULL)
    return;
  rvm_snapshots_clear (snapshots);
  g_free (snapshots);
}

/* Too near to each other to keep both. */
static gboolean
compete (const RvmState * a, const RvmState * b, GstClockTime interval)
{
  const GstClockTime distance =
      a->time > b->time ? a->time - b->time : b->time - a->time;

  return distance < MAX (interval, 1) && a->width == b->width
      && a->height == b->height && a->precision == b->precision
      && g_str_equal (a->model_id, b->model_id);
}

void
rvm_snapshots_add (RvmSnapshots * snapshots, RvmState * state,
    guint64 generation, GstClockTime interval, guint count)
{
  GList *link, *next;
  Entry *added;

  g_return_if_fail (GST_CLOCK_TIME_IS_VALID (state->time));
  for (link = snapshots->entries.head; link; link = link->next) {
    const Entry *entry = link->data;

    if (compete (entry->state, state, interval)
        && (entry->generation == generation
            || entry->state->frames >= state->frames))
      return;
  }
  for (link = snapshots->entries.head; link; link = next) {
    Entry *entry = link->data;

    next = link->next;
    if (compete (entry->state, state, interval)) {
      entry_free (entry);
      g_queue_delete_link (&snapshots->entries, link);
    }
  }
  added = g_new (Entry, 1);
  added->state = rvm_state_ref (state);
  added->generation = generation;
  g_queue_push_tail (&snapshots->entries, added);
  while (snapshots->entries.length > count)
    entry_free (g_queue_pop_head (&snapshots->entries));
}

RvmState *
rvm_snapshots_find (const RvmSnapshots * snapshots, GstClockTime time,
    const RvmModel * model, guint width, guint height)
{
  RvmState *found = NULL;

  for (const GList * link = snapshots->entries.head; link; link = link->next) {
    RvmState *state = ((const Entry *) link->data)->state;

    if (state->time < time && (found == NULL || state->time > found->time)
        && rvm_state_fits (state, model, width, height, "", NULL))
      found = state;
  }
  return found;
}

guint
rvm_snapshots_get_count (const RvmSnapshots * snapshots)
{
  return snapshots->entries.length;
}

guint64
rvm_snapshots_get_bytes (const RvmSnapshots * snapshots)
{
  guint64 bytes = 0;

  for (const GList * link = snapshots->entries.head; link; link = link->next)
    bytes += g_bytes_get_size (((const Entry *) link->data)->state->values);
  return bytes;
}
