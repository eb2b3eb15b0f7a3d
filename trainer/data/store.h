/* RvmStore: decoded things by name, the least recently used thrown away when they take more than a limit. One thread at a time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmStore RvmStore;

/* @ref, @unref: of the things kept. @limit: bytes; the newest thing stays whatever its size. */
RvmStore *rvm_store_new (guint64 limit, gpointer (*ref) (gpointer), GDestroyNotify unref);
void rvm_store_free (RvmStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmStore, rvm_store_free)

gpointer rvm_store_get (RvmStore *store, guint64 name); /* (transfer full) (nullable) */
void rvm_store_put (RvmStore *store, guint64 name, gpointer thing, guint64 bytes); /* (transfer none); replaces */

G_END_DECLS
