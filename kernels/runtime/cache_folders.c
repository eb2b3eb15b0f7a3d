/* A folder can be used if a file can be created in it, or in the nearest parent that exists, with room for a model's kernels, and if programs may run
 * from there. The checks leave nothing behind. */
#define _GNU_SOURCE /* fallocate() */
#include "cache_folders.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kernels/error.h"

#define CURE "name another folder with cache-dir or the environment variable POCL_CACHE_DIR"

static GMutex lock;
static char *suggested;
static gboolean looked, prepared;
static char *named; /* by POCL_CACHE_DIR before it was set here, or NULL; then constant */
static RvmCacheFolder pocl; /* under the lock until prepared, then constant */
static char *vanishing;     /* deleted at the end of the process that made it */
static pid_t maker;

void
rvm_cache_folder_clear (RvmCacheFolder *folder)
{
  g_clear_pointer (&folder->folder, g_free);
  g_clear_pointer (&folder->wanted, g_free);
  g_clear_pointer (&folder->problem, g_free);
}

/* The reason why RVM_CACHE_ROOM bytes cannot be written to @folder, which exists; NULL if they can. */
static char *
try_file (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, ".gst-rvm-XXXXXX", NULL);
  const int fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);
  guint64 size = RVM_CACHE_ROOM;
  struct rlimit limit;
  int wrong = 0;

  if (fd < 0)
    return g_strdup (g_strerror (errno));
  g_unlink (path);
  /* A file beyond this limit would raise a signal. */
  if (getrlimit (RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    size = MIN (size, limit.rlim_cur);
  if (size < RVM_CACHE_LEAST_ROOM)
    wrong = EFBIG;
  else if (fallocate (fd, 0, 0, size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
    wrong = errno;
  close (fd);
  if (wrong == 0)
    return NULL;
  return g_strdup_printf ("%s, where %u MiB must be free", g_strerror (wrong), (guint) (RVM_CACHE_ROOM >> 20));
}

/* The reason why @folder cannot be used, or NULL. @runs: programs must be allowed to run from there. */
static char *
why_not (const char *folder, gboolean runs)
{
  g_autofree char *place = g_strdup (folder);
  struct statvfs system;

  while (g_access (place, F_OK) != 0 && errno == ENOENT) {
    char *above = g_path_get_dirname (place);

    g_free (place);
    place = above;
  }
  if (!g_file_test (place, G_FILE_TEST_IS_DIR))
    return g_strdup (g_access (place, F_OK) == 0 ? g_strerror (ENOTDIR) : g_strerror (errno));
  if (statvfs (place, &system) != 0)
    return g_strdup (g_strerror (errno));
  if (runs && (system.f_flag & ST_NOEXEC))
    return g_strdup ("mounted without permission to run programs (noexec)");
  if ((guint64) system.f_bavail * system.f_frsize < RVM_CACHE_ROOM && geteuid () != 0)
    return g_strdup_printf ("%s, where %u MiB must be free", g_strerror (ENOSPC), (guint) (RVM_CACHE_ROOM >> 20));
  return try_file (place);
}

/* The user's own folder among the temporary files. Libraries are loaded from it, so no other user may be able to write to it. */
static char *
make_temporary (const char *parent, gboolean runs)
{
  g_autofree char *name = g_strdup_printf ("gst-rvm-%u", (guint) geteuid ()), *path = g_build_filename (parent, name, NULL), *wrong = NULL;
  struct stat info;

  if (!g_path_is_absolute (parent))
    return NULL;
  g_mkdir (path, 0700);
  if (lstat (path, &info) != 0 || !S_ISDIR (info.st_mode) || info.st_uid != geteuid () || (info.st_mode & 022) != 0)
    return NULL;
  wrong = why_not (path, runs);
  return wrong ? NULL : g_steal_pointer (&path);
}

static char *
find_temporary (gboolean runs)
{
  const char *const parents[] = { g_get_tmp_dir (), "/var/tmp", "/dev/shm" };
  char *path = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (parents) && path == NULL; i++)
    path = make_temporary (parents[i], runs);
  return path;
}

/* NULL: there is none. */
static char *
get_caches (void)
{
  const char *folder = g_getenv ("XDG_CACHE_HOME"), *home = g_getenv ("HOME");

  if (folder && g_path_is_absolute (folder))
    return g_strdup (folder);
  if (home == NULL)
    home = g_get_home_dir (); /* from the user database */
  return g_path_is_absolute (home) ? g_build_filename (home, ".cache", NULL) : NULL;
}

char *
rvm_cache_folder_get_default (void)
{
  g_autofree char *caches = get_caches ();

  return caches ? g_build_filename (caches, "gst-rvm", NULL) : NULL;
}

void
rvm_cache_folder_suggest (const char *cache_dir)
{
  if (cache_dir == NULL || *cache_dir == '\0')
    return;
  g_mutex_lock (&lock);
  if (suggested == NULL)
    suggested = g_canonicalize_filename (cache_dir, NULL);
  g_mutex_unlock (&lock);
}

char *
rvm_cache_folder_get_suggested (void)
{
  char *folder;

  g_mutex_lock (&lock);
  folder = g_strdup (suggested);
  g_mutex_unlock (&lock);
  return folder;
}

/* Chooses the first of @candidates (nullable each) that can be used, otherwise the folder @leaf in the temporary one. */
static void
choose (const char *const *candidates, guint n, const char *leaf, gboolean runs, RvmCacheFolder *chosen)
{
  g_autofree char *temporary = NULL;

  for (guint i = 0; i < n && chosen->folder == NULL; i++) {
    g_autofree char *wrong = candidates[i] ? why_not (candidates[i], runs) : NULL;

    if (candidates[i] == NULL)
      continue;
    if (wrong == NULL) {
      chosen->folder = g_strdup (candidates[i]);
    } else if (chosen->problem == NULL) {
      chosen->wanted = g_strdup (candidates[i]);
      chosen->problem = g_strdup_printf ("%s: %s", candidates[i], wrong);
    }
  }
  if (chosen->folder)
    return;
  if (chosen->problem == NULL)
    chosen->problem = g_strdup ("the user has no home");
  temporary = find_temporary (runs);
  chosen->folder = temporary ? g_build_filename (temporary, leaf, NULL) : NULL;
}

/* Called with the lock, and before POCL_CACHE_DIR is set here. */
static void
look_at_variable (void)
{
  const char *variable = g_getenv ("POCL_CACHE_DIR");

  if (!looked && variable && *variable)
    named = g_canonicalize_filename (variable, NULL);
  looked = TRUE;
}

char *
rvm_cache_folder_explain (const RvmCacheFolder *folder)
{
  if (folder->problem == NULL)
    return NULL;
  return g_strdup_printf ("compiled kernels cannot be kept where they should be (%s): %s%s; " CURE, folder->problem,
      folder->folder ? "they are in " : "every process compiles its own", folder->folder ? folder->folder : "");
}

void
rvm_cache_folder_choose (const char *cache_dir, RvmCacheFolder *folder)
{
  g_autofree char *usual = rvm_cache_folder_get_default (), *given = NULL, *beside = NULL;

  *folder = (RvmCacheFolder){ 0 };
  if (cache_dir && *cache_dir == '\0')
    return;
  g_mutex_lock (&lock);
  look_at_variable ();
  g_mutex_unlock (&lock);
  given = cache_dir ? g_canonicalize_filename (cache_dir, NULL) : NULL;
  /* A user without a home who has named a folder for PoCL has named one for us, too. */
  beside = named ? g_build_filename (named, "gst-rvm", NULL) : NULL;
  choose ((const char *const[]){ given, usual, beside }, 3, "programs", FALSE, folder);
  if (given == NULL && folder->folder && g_strcmp0 (folder->folder, beside) == 0)
    g_clear_pointer (&folder->problem, g_free);
}

/* (transfer full): the folder that PoCL chooses if POCL_CACHE_DIR is not set. */
static char *
get_pocl_default (const char *caches)
{
  return g_build_filename (caches, "pocl", g_strcmp0 (g_getenv ("POCL_KERNEL_CACHE"), "0") == 0 ? "uncached" : "kcache", NULL);
}

/* Whether PoCL would choose @folder by itself. */
static gboolean
is_pocl_choice (const char *folder)
{
  const char *caches = g_getenv ("XDG_CACHE_HOME"), *home = g_getenv ("HOME"), *named = g_getenv ("POCL_CACHE_DIR");
  g_autofree char *in_home = home ? g_build_filename (home, ".cache", NULL) : NULL, *taken = NULL;

  if (named)
    return g_str_equal (folder, named);
  if (caches == NULL || *caches == '\0')
    caches = in_home;
  taken = caches ? get_pocl_default (caches) : NULL;
  return g_strcmp0 (folder, taken) == 0;
}

static int
delete_one (const char *path, const struct stat *info, int kind, struct FTW *walk)
{
  return remove (path);
}

static void
delete_vanishing (void)
{
  if (getpid () == maker) /* and not in a child that ends */
    nftw (vanishing, delete_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* (transfer full) (nullable): a folder for this process, which is deleted when it ends. */
static char *
make_vanishing (void)
{
  g_autofree char *temporary = find_temporary (TRUE), *path = NULL;

  path = temporary ? g_build_filename (temporary, "process-XXXXXX", NULL) : NULL;
  if (path == NULL || g_mkdtemp (path) == NULL)
    return NULL;
  vanishing = g_strdup (path);
  maker = getpid ();
  atexit (delete_vanishing);
  return g_steal_pointer (&path);
}

void
rvm_cache_pocl_prepare (const char *cache_dir)
{
  g_autofree char *caches = NULL, *usual = NULL, *given = NULL;

  g_mutex_lock (&lock);
  if (!prepared) {
    look_at_variable ();
    caches = get_caches ();
    usual = caches ? get_pocl_default (caches) : NULL;
    if (named == NULL && cache_dir && *cache_dir == '\0') {
      given = make_vanishing ();
      if (given == NULL)
        pocl.problem = g_strdup ("no folder for temporary files can be written");
    } else if (cache_dir && *cache_dir) {
      g_autofree char *absolute = g_canonicalize_filename (cache_dir, NULL);
      given = g_build_filename (absolute, "pocl", NULL);
    }
    choose ((const char *const[]){ named, given, usual }, 3, "pocl", TRUE, &pocl);
    if (pocl.folder && !is_pocl_choice (pocl.folder))
      g_setenv ("POCL_CACHE_DIR", pocl.folder, TRUE);
    prepared = TRUE;
  }
  g_mutex_unlock (&lock);
}

const RvmCacheFolder *
rvm_cache_pocl_get (void)
{
  return &pocl;
}

gboolean
rvm_cache_pocl_check_room (GError **error)
{
  struct statvfs system;
  guint64 room;

  /* A folder that does not exist yet will be created where RVM_CACHE_ROOM bytes were free. */
  if (pocl.folder == NULL || statvfs (pocl.folder, &system) != 0)
    return TRUE;
  room = (guint64) (geteuid () == 0 ? system.f_bfree : system.f_bavail) * system.f_frsize;
  if (room >= RVM_CACHE_LEAST_ROOM)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_BUILD, "%s, where PoCL keeps compiled kernels, has %" G_GUINT64_FORMAT " KiB left, and to compile takes at least %u; " CURE, pocl.folder,
      room >> 10, (guint) (RVM_CACHE_LEAST_ROOM >> 10));
  return FALSE;
}
