/* A program is a file named by its key. It contains a magic string, the key, the checksum of the binary, and the binary; a file that is not exactly
 * that is ignored. The modification time of a file is when the program was last used. */
#include "program_cache.h"

#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

#include "cache_prune.h"

#define MAGIC "gst-rvm program 1\n"
#define SUFFIX ".bin"

static char *
make_path (const char *folder, const char *key)
{
  g_autofree char *name = g_strconcat (key, SUFFIX, NULL);

  return g_build_filename (folder, name, NULL);
}

static char *
checksum_of (gconstpointer data, gsize size)
{
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, size);
}

GBytes *
rvm_program_cache_read (const char *folder, const char *key)
{
  const gsize header = strlen (MAGIC) + 2 * RVM_PROGRAM_KEY_LENGTH;
  g_autofree char *path = make_path (folder, key), *content = NULL, *sum = NULL;
  gsize size;

  if (!g_file_get_contents (path, &content, &size, NULL) || size <= header)
    return NULL;
  if (memcmp (content, MAGIC, strlen (MAGIC)) != 0 || memcmp (content + strlen (MAGIC), key, RVM_PROGRAM_KEY_LENGTH) != 0)
    return NULL;
  sum = checksum_of (content + header, size - header);
  if (memcmp (content + strlen (MAGIC) + RVM_PROGRAM_KEY_LENGTH, sum, RVM_PROGRAM_KEY_LENGTH) != 0)
    return NULL;
  g_utime (path, NULL);
  return g_bytes_new (content + header, size - header);
}

/* Whether @name is a program's file, or what is left of one that was being written. */
static gboolean
is_entry (const char *name)
{
  return strspn (name, "0123456789abcdef") == RVM_PROGRAM_KEY_LENGTH && g_str_has_prefix (name + RVM_PROGRAM_KEY_LENGTH, SUFFIX);
}

void
rvm_program_cache_prune (const char *folder, guint64 most)
{
  rvm_cache_prune (folder, is_entry, most);
}

void
rvm_program_cache_write (const char *folder, const char *key, gconstpointer binary, gsize size)
{
  g_autofree char *path = make_path (folder, key), *sum = checksum_of (binary, size);
  g_autoptr (GByteArray) content = g_byte_array_new ();
  g_autoptr (GError) error = NULL;

  g_byte_array_append (content, (const guint8 *) MAGIC, strlen (MAGIC));
  g_byte_array_append (content, (const guint8 *) key, RVM_PROGRAM_KEY_LENGTH);
  g_byte_array_append (content, (const guint8 *) sum, RVM_PROGRAM_KEY_LENGTH);
  g_byte_array_append (content, binary, size);
  g_mkdir_with_parents (folder, 0700);
  if (!g_file_set_contents_full (path, (const char *) content->data, content->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    g_debug ("program cache: %s", error->message);
  rvm_program_cache_prune (folder, RVM_PROGRAM_CACHE_MAX);
}
