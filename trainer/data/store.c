/* A hash table whose values are links of a queue in order of use. */
#include "store.h"

#include <malloc.h>

enum { LARGE = 1 << 20 }; /* bytes */

typedef struct {
  guint64 name, bytes;
  gpointer thing;
} Entry;

struct _RvmStore {
  GHashTable *entries; /* &Entry.name -> link of @used */
  GQueue used;         /* Entry, the latest first */
  guint64 bytes, limit;
  gpointer (*ref) (gpointer);
  GDestroyNotify unref;
};

/* After the first large block is freed, glibc takes blocks of its size from its heaps, where those of different sizes leave gaps: a store then takes
 * twice its limit. With a fixed threshold large blocks are always mapped by themselves. */
static gpointer
map_large_blocks (gpointer data)
{
#ifdef M_MMAP_THRESHOLD
  mallopt (M_MMAP_THRESHOLD, LARGE);
#endif
  return NULL;
}

RvmStore *
rvm_store_new (guint64 limit, gpointer (*ref) (gpointer), GDestroyNotify unref)
{
  static GOnce once = G_ONCE_INIT;
  RvmStore *store = g_new0 (RvmStore, 1);

  g_once (&once, map_large_blocks, NULL);
  store->entries = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_queue_init (&store->used);
  store->limit = limit;
  store->ref = ref;
  store->unref = unref;
  return store;
}

static void
drop (RvmStore *store, GList *link)
{
  Entry *entry = link->data;

  g_hash_table_remove (store->entries, &entry->name);
  g_queue_delete_link (&store->used, link);
  store->bytes -= entry->bytes;
  store->unref (entry->thing);
  g_free (entry);
}

void
rvm_store_free (RvmStore *store)
{
  if (store == NULL)
    return;
  while (store->used.head)
    drop (store, store->used.head);
  g_hash_table_unref (store->entries);
  g_free (store);
}

gpointer
rvm_store_get (RvmStore *store, guint64 name)
{
  GList *link = g_hash_table_lookup (store->entries, &name);

  if (link == NULL)
    return NULL;
  g_queue_unlink (&store->used, link);
  g_queue_push_head_link (&store->used, link);
  return store->ref (((Entry *) link->data)->thing);
}

void
rvm_store_put (RvmStore *store, guint64 name, gpointer thing, guint64 bytes)
{
  GList *old = g_hash_table_lookup (store->entries, &name);
  Entry *entry = g_new (Entry, 1);

  if (old)
    drop (store, old);
  *entry = (Entry){ name, bytes, store->ref (thing) };
  g_queue_push_head (&store->used, entry);
  g_hash_table_insert (store->entries, &entry->name, store->used.head);
  store->bytes += bytes;
  while (store->bytes > store->limit && store->used.length > 1)
    drop (store, store->used.tail);
}
