/* RvmStore: a cache of decoded objects by name. The least recently used are dropped when all together exceed a limit, and the
 * memory of large ones goes back to the system. Not thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmStore RvmStore;

/* @ref, @unref: for the objects in it. @limit: bytes; the newest object is kept whatever its size. */
RvmStore *rvm_store_new (guint64 limit, gpointer (*ref) (gpointer), GDestroyNotify unref);
void rvm_store_free (RvmStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmStore, rvm_store_free)

gpointer rvm_store_get (RvmStore *store, guint64 name); /* (transfer full) (nullable) */
void rvm_store_put (RvmStore *store, guint64 name, gpointer thing, guint64 bytes); /* (transfer none); replaces */

G_END_DECLS
