/* RvmArena: device memory that is allocated piece by piece and freed at once. Private to model/ and trainer/.
 *
 * The first error is kept, and every later piece is NULL. So the buffers of a network read as a list, and are checked once, at its end. An arena
 * without device only counts bytes, to predict the memory that a network will need. */
#pragma once

#include "kernels/runtime/buffer.h"

G_BEGIN_DECLS

typedef struct _RvmArena RvmArena;

RvmArena *rvm_arena_new (RvmDevice *device); /* NULL: only counts */
void rvm_arena_free (RvmArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmArena, rvm_arena_free)

/* (transfer none): @rows * @width elements of 4 bytes; @what is for the error. */
RvmBuffer *rvm_arena_take (RvmArena *arena, guint64 rows, guint64 width, const char *what);
RvmBuffer *rvm_arena_take_bytes (RvmArena *arena, guint64 bytes, const char *what);
/* (transfer none): zeroed host memory, for tables of buffers. */
gpointer rvm_arena_alloc0 (RvmArena *arena, gsize size);

guint64 rvm_arena_get_bytes (const RvmArena *arena); /* of device memory, so far */
gboolean rvm_arena_finish (RvmArena *arena, GError **error);

G_END_DECLS
