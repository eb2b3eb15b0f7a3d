/* Built programs as files of a folder, one each. Private to kernels/. Any process may use a folder at the same time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_PROGRAM_KEY_LENGTH 64 /* SHA-256 in hexadecimal, of everything that a binary depends on */
#define RVM_PROGRAM_CACHE_MAX ((guint64) 256 << 20) /* bytes of a folder: some thousand programs, those of tens of models, devices and versions */

/* (transfer full), or NULL if there is none that is whole and is that of @key. Marks it as used. */
GBytes *rvm_program_cache_read (const char *folder, const char *key);
/* A folder that cannot be written costs time, not correctness: a debug line. */
void rvm_program_cache_write (const char *folder, const char *key, gconstpointer binary, gsize size);
/* Deletes the programs that have not been used for longest until the others take at most @most bytes. Other files stay. */
void rvm_program_cache_prune (const char *folder, guint64 most);

G_END_DECLS
