/* A folder of built programs, one file each. Private to kernels/ and its tests. Several processes may use a folder at the same time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_PROGRAM_KEY_LENGTH 64 /* SHA-256 in hexadecimal, of everything that a built program depends on */
#define RVM_PROGRAM_CACHE_MAX ((guint64) 256 << 20) /* bytes of a folder: some thousand programs, for tens of models, devices and versions */

/* (transfer full) (nullable): the program of @key, which is marked as used; NULL if there is none, or if its file is damaged. */
GBytes *rvm_program_cache_read (const char *folder, const char *key);
/* Also deletes old programs beyond RVM_PROGRAM_CACHE_MAX. If the folder cannot be written, this is only a debug message, because the cache saves time
 * but is not needed. */
void rvm_program_cache_write (const char *folder, const char *key, gconstpointer binary, gsize size);
/* Deletes the least recently used programs until the rest takes at most @most bytes. Other files stay. */
void rvm_program_cache_prune (const char *folder, guint64 most);

G_END_DECLS
