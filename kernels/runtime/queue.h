/* RvmQueue: an in-order list of launches on a device, owned by one stream and used by one thread at a time.
 *
 * Launches return nothing: the first failure sticks, later launches do nothing, and rvm_queue_finish()
 * reports it with the name of the call that failed. So a frame is enqueued without a check between its
 * steps, and checked once. */
#pragma once

#include <glib.h>

#include "buffer.h"
#include "device.h"

G_BEGIN_DECLS

typedef struct _RvmQueue RvmQueue;

/* @profile: measure every kernel (costs an event per launch). */
RvmQueue *rvm_queue_new (RvmDevice *device, gboolean profile, GError **error);
void rvm_queue_free (RvmQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmQueue, rvm_queue_free)

RvmDevice *rvm_queue_get_device (RvmQueue *queue);

/* Asynchronous: @data stays valid until rvm_queue_finish(). Offsets and sizes in bytes; out-of-range ones
 * are a sticky error. */
void rvm_queue_write (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gconstpointer data, gsize size);
void rvm_queue_read (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gpointer data, gsize size);
void rvm_queue_zero (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gsize size);
void rvm_queue_copy (RvmQueue *queue, RvmBuffer *from, gsize from_offset, RvmBuffer *to, gsize to_offset, gsize size);

/* Hands what is enqueued to the device without waiting. */
void rvm_queue_flush (RvmQueue *queue);
/* Waits for everything enqueued. On failure sets the sticky error and clears it: the queue can be used again,
 * the contents of the buffers written since the last finish are undefined. */
gboolean rvm_queue_finish (RvmQueue *queue, GError **error);
/* Makes @error (transfer full) the sticky error unless there is one already. */
void rvm_queue_fail (RvmQueue *queue, GError *error);

/* Time per kernel since the last reset, of a profiling queue; otherwise empty. */
typedef struct {
  const char *name; /* interned */
  guint64 launches;
  guint64 nanoseconds;
} RvmProfileEntry;

/* (element-type RvmProfileEntry) (transfer full), the most expensive first. Call after rvm_queue_finish(). */
GArray *rvm_queue_get_profile (RvmQueue *queue);
void rvm_queue_reset_profile (RvmQueue *queue);
guint64 rvm_queue_get_launches (RvmQueue *queue); /* since the queue was made */

G_END_DECLS
