/* A file that is no regular file is not waited for: it is opened without blocking, and whoever calls has looked at what it is. */
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>
#include <xxhash.h>

#include "kernels/error.h"

enum { BLOCK = 1 << 18 };

static void
format (XXH128_hash_t hash, char *text)
{
  g_snprintf (text, RVM_HASH_SIZE, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64) hash.high64, (guint64) hash.low64);
}

void
rvm_hash_bytes (gconstpointer data, gsize size, char *text)
{
  format (XXH3_128bits (data, size), text);
}

gboolean
rvm_hash_file (const char *path, char *text, GError **error)
{
  const int fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  g_autofree guint8 *block = g_malloc (BLOCK);
  XXH3_state_t *state = XXH3_createState ();
  gssize count = -1;

  XXH3_128bits_reset (state);
  while (fd >= 0 && ((count = read (fd, block, BLOCK)) > 0 || (count < 0 && errno == EINTR)))
    if (count > 0)
      XXH3_128bits_update (state, block, count);
  if (count < 0)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be read: %s", path, g_strerror (errno));
  else
    format (XXH3_128bits_digest (state), text);
  XXH3_freeState (state);
  if (fd >= 0)
    close (fd);
  return count == 0;
}
