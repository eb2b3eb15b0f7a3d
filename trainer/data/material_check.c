/* Tells whether a file has changed: by size and time, and if the time differs by a hash of its beginning, its end and two parts between them. Reading
 * whole files would take as long as reading all videos for the first time. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "kernels/error.h"
#include "material.h"

enum { BLOCK = 1 << 16, BLOCKS = 4 }; /* bytes of a hashed part; parts of a file. Smaller files are hashed whole. */

/* Unsigned arithmetic, because times of some file systems would overflow. */
static gint64
get_modified (const GStatBuf *status)
{
  return (gint64) ((guint64) status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec);
}

void
rvm_material_file_stat (RvmMaterialFile *file, const GStatBuf *status)
{
  file->size = status->st_size;
  file->modified = get_modified (status);
}

static gboolean
fail (const char *path, GError **error)
{
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be read: %s", path, g_strerror (errno));
  return FALSE;
}

static gboolean
hash_block (int fd, guint64 offset, guint64 size, guint8 *block, XXH3_state_t *state)
{
  while (size > 0) {
    const gssize count = pread (fd, block, MIN (size, BLOCK), offset);

    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return FALSE;
    if (count == 0) /* the file has just been truncated; its hash will differ */
      return TRUE;
    XXH3_128bits_update (state, block, count);
    offset += count;
    size -= count;
  }
  return TRUE;
}

/* (transfer full): 32 hexadecimal digits. */
static char *
hash_file (const char *path, guint64 size, GError **error)
{
  const int fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  g_autofree guint8 *block = g_malloc (BLOCK);
  XXH3_state_t *state;
  XXH128_hash_t hash;
  gboolean ok = TRUE;

  if (fd < 0) {
    fail (path, error);
    return NULL;
  }
  state = XXH3_createState ();
  XXH3_128bits_reset (state);
  if (size <= BLOCK * BLOCKS)
    ok = hash_block (fd, 0, size, block, state);
  else
    for (guint i = 0; ok && i < BLOCKS; i++)
      ok = hash_block (fd, (size - BLOCK) / (BLOCKS - 1) * i + (i == BLOCKS - 1 ? (size - BLOCK) % (BLOCKS - 1) : 0), BLOCK, block, state);
  if (!ok)
    fail (path, error);
  hash = XXH3_128bits_digest (state);
  XXH3_freeState (state);
  close (fd);
  return ok ? g_strdup_printf ("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64) hash.high64, (guint64) hash.low64) : NULL;
}

static gboolean
look_at (const char *path, GStatBuf *status, GError **error)
{
  if (g_stat (path, status) != 0 || g_access (path, R_OK) != 0)
    return fail (path, error);
  if (S_ISREG (status->st_mode))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: is no longer a file", path);
  return FALSE;
}

gboolean
rvm_material_file_check (RvmMaterialFile *file, GError **error)
{
  g_autofree char *hash = NULL;
  GStatBuf status;

  if (!look_at (file->path, &status, error))
    return FALSE;
  if ((guint64) status.st_size != file->size) {
    rvm_error_set (error, RVM_ERROR_FORMAT,
        "%s: has changed since it was listed: it has %" G_GINT64_FORMAT " bytes, it had %" G_GUINT64_FORMAT, file->path, (gint64) status.st_size, file->size);
    return FALSE;
  }
  if (get_modified (&status) == file->modified)
    return TRUE;
  hash = file->hash ? hash_file (file->path, file->size, error) : NULL;
  if (file->hash && hash == NULL)
    return FALSE;
  if (hash == NULL || strcmp (hash, file->hash) != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: has changed since it was listed: it was written to, and its size is the same", file->path);
    return FALSE;
  }
  file->modified = get_modified (&status);
  return TRUE;
}

gboolean
rvm_material_file_confirm (RvmMaterialFile *file, gboolean was_read, GError **error)
{
  g_autoptr (GError) changed = NULL;

  if (rvm_material_file_check (file, &changed))
    return was_read;
  g_clear_error (error);
  g_propagate_error (error, g_steal_pointer (&changed));
  return FALSE;
}

gboolean
rvm_material_file_update (RvmMaterialFile *file, GError **error)
{
  GStatBuf status;

  if (!look_at (file->path, &status, error))
    return FALSE;
  rvm_material_file_stat (file, &status);
  file->frames = 0;
  g_free (file->hash);
  file->hash = hash_file (file->path, file->size, error);
  return file->hash != NULL;
}

gboolean
rvm_material_hash (RvmMaterial *material, GError **error)
{
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    for (guint i = 0; i < material->files[kind]->len; i++) {
      RvmMaterialFile *file = g_ptr_array_index (material->files[kind], i);

      if (file->hash == NULL && (file->hash = hash_file (file->path, file->size, error)) == NULL)
        return FALSE;
    }
    /* Files that are not used need not be readable. */
    for (guint i = 0; i < material->skipped[kind]->len; i++) {
      RvmMaterialFile *file = g_ptr_array_index (material->skipped[kind], i);

      if (file->hash == NULL && (file->size || file->modified))
        file->hash = hash_file (file->path, file->size, NULL);
    }
  }
  return TRUE;
}
