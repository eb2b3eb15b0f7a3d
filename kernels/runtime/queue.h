/* RvmQueue: commands for a device that run in order. Owned by one stream and used by one thread at a time.
 *
 * Commands return nothing. The first failure is kept (the sticky error), later commands do nothing, and rvm_queue_finish() reports the failure with
 * the name of the call that failed. So a frame is enqueued without a check between its steps, and checked once. */
#pragma once

#include <glib.h>

#include "buffer.h"
#include "device.h"

G_BEGIN_DECLS

typedef struct _RvmQueue RvmQueue;

/* @profile: measure the time of every kernel, which costs an event per launch. RVM_ERROR_DEVICE. Keeps a reference to @device. */
RvmQueue *rvm_queue_new (RvmDevice *device, gboolean profile, GError **error);
void rvm_queue_free (RvmQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmQueue, rvm_queue_free)

RvmDevice *rvm_queue_get_device (RvmQueue *queue);

/* Asynchronous: @data must stay valid until rvm_queue_finish(). Offsets and sizes are in bytes; those out of range are a sticky error
 * (RVM_ERROR_ARGUMENT). */
void rvm_queue_write (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gconstpointer data, gsize size);
void rvm_queue_read (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gpointer data, gsize size);
void rvm_queue_zero (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gsize size);
void rvm_queue_copy (RvmQueue *queue, RvmBuffer *from, gsize from_offset, RvmBuffer *to, gsize to_offset, gsize size);

/* Submits what is enqueued to the device, without waiting for it. */
void rvm_queue_flush (RvmQueue *queue);
/* Waits for everything enqueued. Moves the sticky error to @error: the queue can be used again, but the contents of buffers written since the
 * previous finish are undefined. */
gboolean rvm_queue_finish (RvmQueue *queue, GError **error);
/* Makes @error (transfer full) the sticky error unless there is one already. */
void rvm_queue_fail (RvmQueue *queue, GError *error);
gboolean rvm_queue_has_failed (RvmQueue *queue); /* whether there is a sticky error */

/* The time that a kernel took since the last reset. Queues that do not profile have no entries. */
typedef struct {
  const char *name; /* interned */
  guint64 launches;
  guint64 nanoseconds;
} RvmProfileEntry;

gboolean rvm_queue_is_profiling (RvmQueue *queue);
/* (element-type RvmProfileEntry) (transfer full): the most expensive first. To be called after rvm_queue_finish(). */
GArray *rvm_queue_get_profile (RvmQueue *queue);
void rvm_queue_reset_profile (RvmQueue *queue);
guint64 rvm_queue_get_launches (RvmQueue *queue); /* since the queue was made */

/* (transfer none): memory of at least @size bytes for the next launch, valid until the next call; what an earlier launch left there is lost. NULL after a
 * sticky error (RVM_ERROR_MEMORY). */
RvmBuffer *rvm_queue_get_scratch (RvmQueue *queue, gsize size);

/* Lets code above the queue hold launches back, to join them with later ones (ops/chain.h). Before anything else is done with the queue, @flush is
 * called and launches what is held back; by then it must have forgotten it, since launching calls @flush again. @free_data frees @data with the
 * queue. A queue has one holder at most. */
typedef void (*RvmQueueFlush) (RvmQueue *queue, gpointer data);
void rvm_queue_hold (RvmQueue *queue, RvmQueueFlush flush, gpointer data, GDestroyNotify free_data);
/* The data of the holder whose function is @flush, or NULL. */
gpointer rvm_queue_get_held (RvmQueue *queue, RvmQueueFlush flush);

G_END_DECLS
