/* XXH3 of 128 bits, as 32 hexadecimal digits: what the archive recognises files and its own values by. It finds accidents, not malice. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum { RVM_HASH_SIZE = 33 }; /* with the terminating 0 */

/* Writes the hash of @size bytes to @text, which has room for RVM_HASH_SIZE bytes. */
void rvm_hash_bytes (gconstpointer data, gsize size, char *text);
/* The same of a whole file. RVM_ERROR_FILE. */
gboolean rvm_hash_file (const char *path, char *text, GError **error);

G_END_DECLS
