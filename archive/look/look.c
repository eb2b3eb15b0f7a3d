/* A file is what it was from before its first byte was read to after its last: size, time and inode are compared, and a file that was changed meanwhile
 * is looked at again. What is wrong with a file goes into its record; what is wrong with the machine is an error. */
#include "look.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/database/hash.h"
#include "features_file.h"
#include "moments.h"

enum { ATTEMPTS = 3 };

static gboolean
is_address (const char *path)
{
  return path[0] != '/';
}

static gint64
get_modified (const GStatBuf *status)
{
  return (gint64) ((guint64) status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec);
}

static gboolean
is_same (const GStatBuf *a, const GStatBuf *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && get_modified (a) == get_modified (b);
}

static void
give_reason (RvmRecord *record, const char *reason)
{
  g_free (record->reason);
  record->reason = g_strdup (reason);
}

static const char *
name_kind (mode_t mode)
{
  return S_ISDIR (mode) ? "a folder" : S_ISFIFO (mode) ? "a pipe" : S_ISSOCK (mode) ? "a socket" : S_ISCHR (mode) || S_ISBLK (mode) ? "a device" : "no file";
}

/* FALSE: there is nothing to read, and the record says why. */
static gboolean
is_readable (const char *path, const GStatBuf *status, RvmRecord *record)
{
  g_autofree char *reason = NULL;

  if (!S_ISREG (status->st_mode))
    reason = g_strdup_printf ("is %s, expected a file", name_kind (status->st_mode));
  else if (status->st_size == 0)
    reason = g_strdup ("is empty");
  else if (g_access (path, R_OK) != 0)
    reason = g_strdup (g_strerror (errno));
  give_reason (record, reason);
  return reason == NULL;
}

/* Fills in the record from what was analysed. */
static gboolean
take_moments (const RvmLook *look, RvmMoments *moments, RvmRecord *record, GError **error)
{
  char hash[RVM_HASH_SIZE];

  g_free (record->state);
  record->state = g_strdup (moments->moments == 0 ? "failed" : moments->reason ? "partial" : "done");
  give_reason (record, moments->reason);
  record->moments = moments->moments;
  if (moments->moments == 0)
    return TRUE;
  record->width = moments->width;
  record->height = moments->height;
  record->pixel_n = moments->pixel_n;
  record->pixel_d = moments->pixel_d;
  record->analysis_width = moments->analysis_width;
  record->analysis_height = moments->analysis_height;
  record->rows = moments->rows;
  record->columns = moments->columns;
  record->duration = moments->duration;
  record->frames = moments->frames;
  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++)
    if (moments->vectors[kind])
      record->vectors[kind] = g_byte_array_free_to_bytes (g_steal_pointer (&moments->vectors[kind]));
  if (moments->features == NULL)
    return TRUE;
  if (!rvm_features_file_finish (moments->features, hash, &record->features_size, error))
    return FALSE;
  record->features = rvm_features_file_get_name (record->path);
  record->features_hash = g_strdup (hash);
  record->features_error = moments->greatest > 0 ? moments->greatest_error / moments->greatest : 0;
  return TRUE;
}

/* Analyses what is at record->path now. */
static RvmLookResult
analyse (const RvmLook *look, RvmRecord *record, gint *milliseconds, RvmMoments *moments, GError **error)
{
  const RvmLookResult result = rvm_moments_analyse (look, record->path, milliseconds, moments, error);

  if (result == RVM_LOOK_SEEN && is_address (record->path))
    return take_moments (look, moments, record, error) ? RVM_LOOK_SEEN : RVM_LOOK_FAILED;
  return result;
}

static RvmLookResult
look_once (const RvmLook *look, const GStatBuf *before, const RvmRecord *known, gint *milliseconds, RvmRecord *record, gboolean *changed, GError **error)
{
  g_auto (RvmMoments) moments = { 0 };
  char hash[RVM_HASH_SIZE];
  GStatBuf after;
  RvmLookResult result;

  record->size = before->st_size;
  record->modified = get_modified (before);
  *changed = FALSE;
  if (!is_readable (record->path, before, record))
    return RVM_LOOK_SEEN;
  if (known && known->hash && rvm_hash_file (record->path, hash, NULL) && strcmp (hash, known->hash) == 0)
    return RVM_LOOK_SAME;
  result = analyse (look, record, milliseconds, &moments, error);
  if (result != RVM_LOOK_SEEN)
    return result;
  *changed = !rvm_hash_file (record->path, hash, NULL) || g_stat (record->path, &after) != 0 || !is_same (before, &after);
  if (*changed)
    return RVM_LOOK_SEEN;
  record->hash = g_strdup (hash);
  return take_moments (look, &moments, record, error) ? RVM_LOOK_SEEN : RVM_LOOK_FAILED;
}

static RvmLookResult
look_at_address (const RvmLook *look, const char *path, gint *milliseconds, RvmRecord **record, GError **error)
{
  g_auto (RvmMoments) moments = { 0 };

  *record = rvm_record_new (path);
  return analyse (look, *record, milliseconds, &moments, error);
}

RvmLookResult
rvm_look_at (const RvmLook *look, const char *path, const RvmRecord *known, gint *milliseconds, RvmRecord **record, GError **error)
{
  RvmLookResult result = RVM_LOOK_SEEN;
  gboolean changed = TRUE;

  if (is_address (path))
    return look_at_address (look, path, milliseconds, record, error);
  *record = NULL;
  for (guint attempt = 0; changed && attempt < ATTEMPTS; attempt++) {
    GStatBuf status;

    g_clear_pointer (record, rvm_record_free);
    *record = rvm_record_new (path);
    if (g_stat (path, &status) != 0) {
      give_reason (*record, g_strerror (errno));
      return RVM_LOOK_SEEN;
    }
    result = look_once (look, &status, known, milliseconds, *record, &changed, error);
  }
  if (result == RVM_LOOK_SEEN && changed) {
    /* Without a time, the next run takes it for a changed file. */
    give_reason (*record, "was changed each time while it was read");
    (*record)->modified = RVM_UNKNOWN;
  }
  return result;
}
