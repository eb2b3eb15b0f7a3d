/* RvmArena: the memory of one pass over a network, taken piece by piece and given back at once. Private to model/ and trainer/.
 *
 * The first failure sticks: later pieces are NULL, so that a network's buffers read as a list and are checked once, at its end. An arena
 * without device only counts, which is how memory is predicted before it is taken. */
#pragma once

#include "kernels/runtime/buffer.h"

G_BEGIN_DECLS

typedef struct _RvmArena RvmArena;

RvmArena *rvm_arena_new (RvmDevice *device); /* NULL: only count */
void rvm_arena_free (RvmArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmArena, rvm_arena_free)

/* (transfer none): @rows * @width elements of 4 bytes; @what is for the error. */
RvmBuffer *rvm_arena_take (RvmArena *arena, guint64 rows, guint64 width, const char *what);
RvmBuffer *rvm_arena_take_bytes (RvmArena *arena, guint64 bytes, const char *what);
/* (transfer none): zeroed memory of the host, for tables of buffers. */
gpointer rvm_arena_alloc0 (RvmArena *arena, gsize size);

guint64 rvm_arena_get_bytes (const RvmArena *arena); /* of the device, so far */
gboolean rvm_arena_finish (RvmArena *arena, GError **error);

G_END_DECLS
