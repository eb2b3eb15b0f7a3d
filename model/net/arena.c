/* A list of buffers that are freed together. */
#include "arena.h"

#include "kernels/error.h"

struct _RvmArena {
  RvmDevice *device;
  GPtrArray *buffers, *tables;
  guint64 bytes;
  GError *error;
};

RvmArena *
rvm_arena_new (RvmDevice *device)
{
  RvmArena *arena = g_new0 (RvmArena, 1);

  arena->device = device ? rvm_device_ref (device) : NULL;
  arena->buffers = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_buffer_unref);
  arena->tables = g_ptr_array_new_with_free_func (g_free);
  return arena;
}

void
rvm_arena_free (RvmArena *arena)
{
  if (arena == NULL)
    return;
  g_ptr_array_unref (arena->buffers);
  g_ptr_array_unref (arena->tables);
  g_clear_pointer (&arena->device, rvm_device_unref);
  g_clear_error (&arena->error);
  g_free (arena);
}

RvmBuffer *
rvm_arena_take_bytes (RvmArena *arena, guint64 bytes, const char *what)
{
  RvmBuffer *buffer;

  if (arena->error)
    return NULL;
  if (!g_uint64_checked_add (&arena->bytes, arena->bytes, bytes) || bytes > G_MAXSIZE) {
    g_set_error (&arena->error, RVM_ERROR, RVM_ERROR_MEMORY, "%s: more memory than can be addressed", what);
    return NULL;
  }
  if (arena->device == NULL)
    return NULL;
  buffer = rvm_buffer_new (arena->device, bytes, what, &arena->error);
  if (buffer)
    g_ptr_array_add (arena->buffers, buffer);
  return buffer;
}

RvmBuffer *
rvm_arena_take (RvmArena *arena, guint64 rows, guint64 width, const char *what)
{
  guint64 bytes;

  if (!g_uint64_checked_mul (&bytes, rows, width) || !g_uint64_checked_mul (&bytes, bytes, sizeof (float)))
    bytes = G_MAXUINT64;
  return rvm_arena_take_bytes (arena, bytes, what);
}

gpointer
rvm_arena_alloc0 (RvmArena *arena, gsize size)
{
  gpointer memory = g_malloc0 (size);

  g_ptr_array_add (arena->tables, memory);
  return memory;
}

guint64
rvm_arena_get_bytes (const RvmArena *arena)
{
  return arena->bytes;
}

gboolean
rvm_arena_finish (RvmArena *arena, GError **error)
{
  if (arena->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&arena->error));
  return FALSE;
}
