/* RvmBuffer: a refcounted piece of device memory, and its moves to and from the host. */
#pragma once

#include <glib.h>

#include "device.h"

G_BEGIN_DECLS

typedef struct _RvmBuffer RvmBuffer;

/* @size in bytes, > 0. The content is undefined. Fails with RVM_ERROR_MEMORY, naming @what and the size. */
RvmBuffer *rvm_buffer_new (RvmDevice *device, gsize size, const char *what, GError **error);
RvmBuffer *rvm_buffer_ref (RvmBuffer *buffer);
void rvm_buffer_unref (RvmBuffer *buffer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmBuffer, rvm_buffer_unref)

gsize rvm_buffer_get_size (const RvmBuffer *buffer);

/* Lets the host write the whole buffer in place (no copy where the device shares the host's memory). Blocks.
 * Each map is paired with an unmap, which blocks until the content is on the device. */
gpointer rvm_buffer_map_write (RvmBuffer *buffer, GError **error);
gboolean rvm_buffer_unmap (RvmBuffer *buffer, gpointer data, GError **error);

G_END_DECLS
