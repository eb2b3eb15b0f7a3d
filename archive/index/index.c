/* Threads take files from the plan in its order. A record is written under the lock, so that one connection to the database is enough. The caller's
 * thread only shows how far it is. */
#include "index.h"

#include <glib/gstdio.h>
#include <string.h>

#include "kernels/text.h"

enum { SHOW_EACH = 250000 /* microseconds */ };

typedef struct _Run Run;

typedef struct {
  Run *run;
  GThread *thread;
  gint milliseconds; /* atomic: of the video at hand */
} Worker;

struct _Run {
  const RvmIndex *index;
  RvmFolder *folder;
  const RvmPlan *plan;
  gint stop; /* atomic: a failure; what the caller's flag is for is the caller's */
  GMutex lock;
  GCond changed;
  /* With the lock. */
  guint next, working;
  RvmIndexState state;
  GPtrArray *news;
  GError *error;
};

static gboolean
is_stopped (Run *run)
{
  return g_atomic_int_get (&run->stop) || (run->index->look->stop && g_atomic_int_get (run->index->look->stop));
}

/* The file has another time, but the content of @record's path is known. One of several processes copies what it knows. */
static gboolean
record_same (Run *run, const RvmRecord *record, GError **error)
{
  RvmDatabase *main = rvm_folder_get_main (run->folder), *target = rvm_folder_get_target (run->folder);
  g_autoptr (RvmRecord) known = NULL;

  if (target == main)
    return rvm_database_set_modified (main, record->path, record->modified, error);
  known = rvm_database_find (main, record->path, error);
  if (known == NULL)
    return error == NULL || *error == NULL;
  if (!rvm_database_verify (main, known, error))
    return FALSE;
  known->modified = record->modified;
  return rvm_database_put (target, known, error);
}

static void
tell (Run *run, const RvmRecord *record)
{
  if (record->reason) {
    g_autofree char *name = rvm_name_escape (record->path);
    g_ptr_array_add (run->news, g_strdup_printf ("%s: %s: %s", name, record->state, record->reason));
  }
}

/* The file of a record that could not be written. */
static void
discard_features (Run *run, const RvmRecord *record)
{
  g_autofree char *path = record->features ? g_build_filename (run->index->look->folder, record->features, NULL) : NULL;

  if (path)
    g_unlink (path);
}

/* With the lock. */
static gboolean
keep (Run *run, RvmLookResult result, const RvmPlanItem *item, RvmRecord *record, GError **error)
{
  RvmIndexState *state = &run->state;

  if (result == RVM_LOOK_SAME ? !record_same (run, record, error) : !rvm_database_put (rvm_folder_get_target (run->folder), record, error)) {
    discard_features (run, record);
    return FALSE;
  }
  state->files++;
  state->bytes += item->size;
  if (result == RVM_LOOK_SAME) {
    state->same++;
    return TRUE;
  }
  state->done += strcmp (record->state, "done") == 0;
  state->partial += strcmp (record->state, "partial") == 0;
  state->failed += strcmp (record->state, "failed") == 0;
  state->video += record->duration > 0 ? record->duration / 1e9 : 0;
  state->moments += record->moments;
  tell (run, record);
  return TRUE;
}

static const RvmPlanItem *
take (Run *run)
{
  const RvmPlanItem *item = NULL;

  g_mutex_lock (&run->lock);
  if (!is_stopped (run) && run->next < run->plan->items->len)
    item = g_ptr_array_index (run->plan->items, run->next++);
  g_mutex_unlock (&run->lock);
  return item;
}

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  Run *run = worker->run;
  RvmLook look = *run->index->look;
  const RvmPlanItem *item;

  while ((item = take (run))) {
    g_autoptr (RvmRecord) record = NULL;
    g_autoptr (GError) error = NULL;
    RvmLookResult result = rvm_look_at (&look, item->path, item->known, &worker->milliseconds, &record, &error);

    g_mutex_lock (&run->lock);
    g_atomic_int_set (&worker->milliseconds, 0);
    if (result <= RVM_LOOK_SAME && !keep (run, result, item, record, &error))
      result = RVM_LOOK_FAILED;
    if (result == RVM_LOOK_FAILED && run->error == NULL)
      run->error = g_steal_pointer (&error);
    if (result == RVM_LOOK_FAILED)
      g_atomic_int_set (&run->stop, 1);
    g_cond_signal (&run->changed);
    g_mutex_unlock (&run->lock);
  }
  g_mutex_lock (&run->lock);
  run->working--;
  g_cond_signal (&run->changed);
  g_mutex_unlock (&run->lock);
  return NULL;
}

/* Shows how far it is until all threads have ended. */
static void
watch (Run *run, Worker *workers, guint n, gint64 begin)
{
  gboolean over = FALSE;

  while (!over) {
    g_autoptr (GPtrArray) news = NULL;
    RvmIndexState state;

    g_mutex_lock (&run->lock);
    if (run->working && run->news->len == 0)
      g_cond_wait_until (&run->changed, &run->lock, g_get_monotonic_time () + SHOW_EACH);
    over = run->working == 0;
    news = g_steal_pointer (&run->news);
    run->news = g_ptr_array_new_with_free_func (g_free);
    run->state.elapsed = (g_get_monotonic_time () - begin) / 1e6;
    state = run->state;
    g_mutex_unlock (&run->lock);
    for (guint i = 0; i < n; i++)
      state.video += g_atomic_int_get (&workers[i].milliseconds) / 1e3;
    for (guint i = 0; run->index->show && i < news->len; i++)
      run->index->show (&state, g_ptr_array_index (news, i), run->index->user_data);
    if (run->index->show)
      run->index->show (&state, NULL, run->index->user_data);
  }
}

gboolean
rvm_index_run (const RvmIndex *index, RvmFolder *folder, const RvmPlan *plan, RvmIndexState *state, GError **error)
{
  const guint n = CLAMP (index->threads, 1, MAX (plan->items->len, 1));
  g_autofree Worker *workers = g_new0 (Worker, n);
  Run run = { .index = index, .folder = folder, .plan = plan, .working = n };
  const gint64 begin = g_get_monotonic_time ();

  g_mutex_init (&run.lock);
  g_cond_init (&run.changed);
  run.news = g_ptr_array_new_with_free_func (g_free);
  run.state.of_files = plan->items->len;
  run.state.of_bytes = plan->size;
  for (guint i = 0; i < n; i++) {
    workers[i].run = &run;
    workers[i].thread = g_thread_new ("look", work, &workers[i]);
  }
  watch (&run, workers, n, begin);
  for (guint i = 0; i < n; i++)
    g_thread_join (workers[i].thread);
  *state = run.state;
  g_ptr_array_unref (run.news);
  g_mutex_clear (&run.lock);
  g_cond_clear (&run.changed);
  if (run.error)
    g_propagate_error (error, run.error);
  return run.error == NULL;
}
