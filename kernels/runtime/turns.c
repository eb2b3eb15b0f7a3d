/* A list of the threads that wait. Each has its own condition variable, so that the end of a turn wakes one thread and not all of them. */
#include "turns.h"

#include "process.h"

struct _RvmTurns {
  GMutex lock;
  guint free;
  GQueue waiting; /* of Waiter, on the stacks of the threads that wait */
};

typedef struct {
  GCond called;
  gboolean go;
} Waiter;

RvmTurns *
rvm_turns_new (guint at_once)
{
  RvmTurns *turns = g_new0 (RvmTurns, 1);

  g_mutex_init (&turns->lock);
  g_queue_init (&turns->waiting);
  turns->free = at_once;
  return turns;
}

void
rvm_turns_free (RvmTurns *turns)
{
  if (turns == NULL)
    return;
  g_warn_if_fail (g_queue_is_empty (&turns->waiting));
  g_mutex_clear (&turns->lock);
  g_free (turns);
}

void
rvm_turns_take (RvmTurns *turns)
{
  Waiter waiter = { .go = FALSE };

  /* In a child made by fork(), turns of the parent's threads would never end. Launches fail there anyway. */
  if (rvm_process_is_forked ())
    return;
  g_mutex_lock (&turns->lock);
  if (turns->free > 0) { /* then no thread waits */
    turns->free--;
  } else {
    g_cond_init (&waiter.called);
    g_queue_push_tail (&turns->waiting, &waiter);
    while (!waiter.go)
      g_cond_wait (&waiter.called, &turns->lock);
    g_cond_clear (&waiter.called);
  }
  g_mutex_unlock (&turns->lock);
}

void
rvm_turns_end (RvmTurns *turns)
{
  Waiter *next;

  if (rvm_process_is_forked ())
    return;
  g_mutex_lock (&turns->lock);
  next = g_queue_pop_head (&turns->waiting);
  if (next) { /* handed over, so that no other thread can take it */
    next->go = TRUE;
    g_cond_signal (&next->called);
  } else {
    turns->free++;
  }
  g_mutex_unlock (&turns->lock);
}

guint
rvm_turns_get_waiting (RvmTurns *turns)
{
  guint waiting;

  g_mutex_lock (&turns->lock);
  waiting = turns->waiting.length;
  g_mutex_unlock (&turns->lock);
  return waiting;
}
