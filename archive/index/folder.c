/* One lock file. A process alone has it for itself; each of several has it together with the others, and writes a database of its own, a shard. Whoever
 * gets the lock for itself merges: that is the last of several, because locks go with their process, and otherwise the next run. Then no shard is
 * written to. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "archive/database/waiting.h"
#include "kernels/error.h"
#include "program/interrupts.h"

/* PATIENCE: seconds without a change; a file system of several machines may show a change only after a minute. */
enum { WAIT_STEP = 200000, TRIES = 5, BETWEEN_TRIES = 10000 /* microseconds */, PATIENCE = 120, LONGEST_OWNER = 300 /* bytes */ };

struct _RvmFolder {
  char *path;
  RvmRank rank;
  int lock;
  RvmDatabase *main, *shard;
  RvmFolderTell tell;
  gpointer user_data;
};

char *
rvm_folder_get_database (const char *folder)
{
  return g_build_filename (folder, "archive.sqlite", NULL);
}

static char *
get_shards (const RvmFolder *folder)
{
  return g_build_filename (folder->path, "shards", NULL);
}

static void G_GNUC_PRINTF (2, 3)
tell (const RvmFolder *folder, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (folder->tell)
    folder->tell (text, folder->user_data);
}

/* Removes what killed processes left half written. Nobody else has the folder. */
static void
remove_parts (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *below = g_build_filename (path, name, NULL);

    if (g_str_has_suffix (name, ".part"))
      g_unlink (below);
    else if (g_file_test (below, G_FILE_TEST_IS_DIR) && !g_file_test (below, G_FILE_TEST_IS_SYMLINK))
      remove_parts (below);
  }
}

gboolean
rvm_folder_copy_records (RvmDatabase *from, RvmDatabase *to, guint *n, guint *bad, GError **error)
{
  g_autoptr (GPtrArray) records = rvm_database_list (from, error);

  *n = 0;
  if (records == NULL)
    return FALSE;
  for (guint i = 0; i < records->len; i++) {
    RvmRecord *record = g_ptr_array_index (records, i);

    if (!rvm_database_verify (from, record, bad ? NULL : error)) {
      if (bad == NULL)
        return FALSE;
      ++*bad;
      continue;
    }
    if (!rvm_database_put (to, record, error))
      return FALSE;
    ++*n;
    for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++)
      g_clear_pointer (&record->vectors[kind], g_bytes_unref);
  }
  return TRUE;
}

/* Merges one shard and removes it. One that is damaged is set aside: its files are analysed again. */
static gboolean
merge_shard (RvmFolder *folder, const char *path, GError **error)
{
  g_autoptr (GError) damage = NULL;
  g_autoptr (RvmDatabase) shard = rvm_database_open (path, RVM_DATABASE_SHARD, &damage);
  const RvmSettings *settings = shard ? rvm_database_get_settings (shard) : NULL;
  guint n = 0, bad = 0;

  if (damage && !g_error_matches (damage, RVM_ERROR, RVM_ERROR_FORMAT)) {
    g_propagate_error (error, g_steal_pointer (&damage));
    return FALSE;
  }
  if (settings && rvm_database_get_settings (folder->main) == NULL && !rvm_database_set_settings (folder->main, settings, error))
    return FALSE;
  if (settings && !rvm_settings_check_equal (rvm_database_get_settings (folder->main), settings, path, error))
    return FALSE;
  if (settings && !rvm_folder_copy_records (shard, folder->main, &n, &bad, &damage) && !g_error_matches (damage, RVM_ERROR, RVM_ERROR_FORMAT)) {
    g_propagate_error (error, g_steal_pointer (&damage));
    return FALSE;
  }
  g_clear_pointer (&shard, rvm_database_free);
  if (damage || bad) {
    g_autofree char *aside = g_strconcat (path, ".damaged", NULL);
    tell (folder, "%s: %u files are merged, others cannot be read and are analysed again; it is set aside as %s%s%s", path, n, aside, damage ? ": " : "",
        damage ? damage->message : "");
    return g_rename (path, aside) == 0 || (rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno)), FALSE);
  }
  return g_unlink (path) == 0 || (rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno)), FALSE);
}

static gboolean
merge (RvmFolder *folder, GError **error)
{
  g_autofree char *shards = get_shards (folder);
  g_autoptr (GDir) dir = g_dir_open (shards, 0, NULL);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".sqlite"))
      g_ptr_array_add (paths, g_build_filename (shards, name, NULL));
  for (guint i = 0; i < paths->len; i++)
    if (!merge_shard (folder, g_ptr_array_index (paths, i), error))
      return FALSE;
  return TRUE;
}

/* Takes the lock for this process alone. It is tried several times, because rvm_folder_is_locked() of another process has it for an instant. */
static gboolean
take_alone (int lock)
{
  gboolean taken = FALSE;

  for (guint i = 0; !taken && i < TRIES; i++) {
    if (i)
      g_usleep (BETWEEN_TRIES);
    taken = flock (lock, LOCK_EX | LOCK_NB) == 0;
  }
  return taken;
}

static int
open_lock (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "lock", NULL);
  const int lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

  if (lock < 0)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
  return lock;
}

struct _RvmFolderLock {
  int file;
};

/* Who has the lock for itself is written into it, for other machines. It is only a hint, and may fail. */
static void
note_owner (int lock)
{
  g_autofree char *text = g_strdup_printf ("process %d on %s\n", (int) getpid (), g_get_host_name ());

  if (ftruncate (lock, 0) == 0 && pwrite (lock, text, strlen (text), 0) < 0)
    return;
}

/* (transfer full): of a lock that somebody has. */
static char *
describe_owners (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "lock", NULL), *holders = rvm_waiting_describe_holders (path), *content = NULL;
  gsize size = 0;

  if (holders)
    return g_steal_pointer (&holders);
  if (!g_file_get_contents (path, &content, &size, NULL) || size == 0 || size > LONGEST_OWNER || strlen (content) != size)
    return g_strdup ("one that cannot be found on this computer");
  g_strstrip (content);
  return g_strdup_printf ("one that cannot be found on this computer; the last one to merge was %s", content);
}

static gboolean
fail_locked (const char *folder, GError **error)
{
  g_autofree char *owners = describe_owners (folder);

  rvm_error_set (error, RVM_ERROR_FILE, "%s/lock: another process writes to this archive: %s", folder, owners);
  return FALSE;
}

RvmFolderLock *
rvm_folder_lock (const char *folder, GError **error)
{
  g_autoptr (RvmFolderLock) lock = g_new (RvmFolderLock, 1);

  lock->file = open_lock (folder, error);
  if (lock->file < 0 || (!take_alone (lock->file) && !fail_locked (folder, error)))
    return NULL;
  note_owner (lock->file);
  return g_steal_pointer (&lock);
}

void
rvm_folder_lock_free (RvmFolderLock *lock)
{
  if (lock->file >= 0)
    close (lock->file);
  g_free (lock);
}

gboolean
rvm_folder_is_locked (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "lock", NULL);
  const int lock = open (path, O_RDONLY | O_CLOEXEC);
  /* Several processes share it. Where only a file that is open for writing can be locked for oneself, only a process alone is noticed. */
  const gboolean alone = lock >= 0 && flock (lock, LOCK_EX | LOCK_NB) == 0;
  const gboolean locked = lock >= 0 && !alone && (errno == EWOULDBLOCK || flock (lock, LOCK_SH | LOCK_NB) != 0);

  if (lock >= 0)
    close (lock);
  return locked;
}

char *
rvm_folder_describe_writers (const char *folder)
{
  return rvm_folder_is_locked (folder) ? describe_owners (folder) : NULL;
}

typedef struct {
  gint64 begun, since; /* since: of the last change; 0: it has not begun */
  gint64 state;
} Wait;

/* Another number each time that somebody writes to the database. */
static gint64
get_state (const RvmFolder *folder)
{
  static const char *const suffixes[] = { "", "-wal", "-journal" };
  g_autofree char *database = rvm_folder_get_database (folder->path), *shards = get_shards (folder);
  gint64 state = 0;
  GStatBuf status;

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++) {
    g_autofree char *path = g_strconcat (database, suffixes[i], NULL);

    if (g_stat (path, &status) == 0)
      state += (gint64) ((guint64) status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec) + status.st_size;
  }
  if (g_stat (shards, &status) == 0)
    state += (gint64) ((guint64) status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec);
  return state;
}

/* Waits a moment for another one of this job that has the folder for itself, because it makes the database or merges. FALSE: it does not seem to end. */
static gboolean
wait_a_moment (const RvmFolder *folder, Wait *wait, GError **error)
{
  const gint64 now = g_get_monotonic_time (), state = get_state (folder);
  double patience;

  if (!rvm_waiting_get_seconds (PATIENCE, &patience, error))
    return FALSE;
  if (rvm_interrupts_count ()) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s/lock: interrupted while it was waited for", folder->path);
    return FALSE;
  }
  if (wait->begun == 0) {
    g_autofree char *owners = describe_owners (folder->path);

    wait->begun = now;
    tell (folder, "%s: waiting for another process that writes to this archive: %s", folder->path, owners);
  }
  if (wait->since == 0 || state != wait->state)
    wait->since = now;
  wait->state = state;
  if (now - wait->since >= patience * G_USEC_PER_SEC) {
    g_autofree char *owners = describe_owners (folder->path);

    rvm_error_set (error, RVM_ERROR_FILE, "%s/lock: another process has this archive for itself, and has changed nothing in it for %g s (RVM_ARCHIVE_WAIT): %s",
        folder->path, patience, owners);
    return FALSE;
  }
  g_usleep (WAIT_STEP);
  return TRUE;
}

/* @alone: nobody else has the folder, also of this job. */
static gboolean
lock (RvmFolder *folder, gboolean *alone, GError **error)
{
  Wait wait = { 0 };

  folder->lock = open_lock (folder->path, error);
  if (folder->lock < 0)
    return FALSE;
  while (!(*alone = take_alone (folder->lock))) {
    if (folder->rank.size == 1)
      return fail_locked (folder->path, error);
    if (flock (folder->lock, LOCK_SH | LOCK_NB) == 0)
      return TRUE;
    if (!wait_a_moment (folder, &wait, error))
      return FALSE;
  }
  note_owner (folder->lock);
  return TRUE;
}

/* Lets the others of this job in. The lock is let go of for an instant, in which another one can have it for itself. */
static gboolean
share (RvmFolder *folder, GError **error)
{
  Wait wait = { 0 };

  while (flock (folder->lock, LOCK_SH | LOCK_NB) != 0)
    if (!wait_a_moment (folder, &wait, error))
      return FALSE;
  return TRUE;
}

/* What only the first one does: it makes the database, and merges what an earlier run left. */
static gboolean
tidy (RvmFolder *folder, const char *database, GError **error)
{
  g_autofree char *features = g_build_filename (folder->path, "features", NULL);

  folder->main = rvm_database_open (database, RVM_DATABASE_MAKE, error);
  if (folder->main == NULL)
    return FALSE;
  remove_parts (features);
  return merge (folder, error);
}

/* The others only read the database, which does not change while one of them has the folder. */
static gboolean
open_shard (RvmFolder *folder, const char *database, GError **error)
{
  g_autofree char *shards = get_shards (folder), *name = g_strdup_printf ("%s/%u-of-%u.sqlite", shards, folder->rank.rank, folder->rank.size);
  g_autofree char *log = g_strconcat (database, "-wal", NULL);
  GStatBuf status;

  if (g_mkdir_with_parents (shards, 0777) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be made: %s", shards, g_strerror (errno));
    return FALSE;
  }
  g_clear_pointer (&folder->main, rvm_database_free);
  /* A reader may have kept the log from going into the database. */
  folder->main = rvm_database_open (database, g_stat (log, &status) == 0 && status.st_size > 0 ? RVM_DATABASE_READ : RVM_DATABASE_STILL, error);
  folder->shard = folder->main ? rvm_database_open (name, RVM_DATABASE_SHARD, error) : NULL;
  return folder->shard != NULL;
}

RvmFolder *
rvm_folder_open (const char *path, RvmRank rank, RvmFolderTell tell, gpointer user_data, GError **error)
{
  g_autoptr (RvmFolder) folder = g_new0 (RvmFolder, 1);
  g_autofree char *database = rvm_folder_get_database (path);
  gboolean alone;

  folder->path = g_strdup (path);
  folder->rank = rank;
  folder->lock = -1;
  folder->tell = tell;
  folder->user_data = user_data;
  if (g_mkdir_with_parents (path, 0777) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be made: %s", path, g_strerror (errno));
    return NULL;
  }
  if (!lock (folder, &alone, error) || (alone && !tidy (folder, database, error)))
    return NULL;
  /* In this order: whoever has the folder for itself takes shards away. */
  if (rank.size > 1 && (!share (folder, error) || !open_shard (folder, database, error)))
    return NULL;
  return g_steal_pointer (&folder);
}

gboolean
rvm_folder_close (RvmFolder *folder, GError **error)
{
  g_autofree char *database = rvm_folder_get_database (folder->path);

  g_clear_pointer (&folder->shard, rvm_database_free);
  if (folder->rank.size == 1 || !take_alone (folder->lock))
    return TRUE;
  note_owner (folder->lock);
  g_clear_pointer (&folder->main, rvm_database_free);
  folder->main = rvm_database_open (database, RVM_DATABASE_WRITE, error);
  return folder->main && merge (folder, error);
}

void
rvm_folder_free (RvmFolder *folder)
{
  if (folder == NULL)
    return;
  g_clear_pointer (&folder->shard, rvm_database_free);
  g_clear_pointer (&folder->main, rvm_database_free);
  if (folder->lock >= 0)
    close (folder->lock);
  g_free (folder->path);
  g_free (folder);
}

RvmDatabase *
rvm_folder_get_main (RvmFolder *folder)
{
  return folder->main;
}

RvmDatabase *
rvm_folder_get_target (RvmFolder *folder)
{
  return folder->shard ? folder->shard : folder->main;
}
