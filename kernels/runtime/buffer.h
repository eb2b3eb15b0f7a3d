/* RvmBuffer: a reference-counted piece of device memory. Thread-safe, apart from its contents. */
#pragma once

#include <glib.h>

#include "device.h"

G_BEGIN_DECLS

typedef struct _RvmBuffer RvmBuffer;

/* @size: in bytes, > 0. The content is undefined. Keeps a reference to @device. RVM_ERROR_MEMORY, whose message names @what and the size. */
RvmBuffer *rvm_buffer_new (RvmDevice *device, gsize size, const char *what, GError **error);
RvmBuffer *rvm_buffer_ref (RvmBuffer *buffer);
void rvm_buffer_unref (RvmBuffer *buffer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmBuffer, rvm_buffer_unref)

gsize rvm_buffer_get_size (const RvmBuffer *buffer); /* bytes */

/* Lets the host write the whole buffer in place; nothing is copied if the device shares the host's memory. Blocks. The previous content is lost.
 * Each map must be followed by an unmap, which blocks until the content is on the device. RVM_ERROR_MEMORY, RVM_ERROR_LAUNCH. */
gpointer rvm_buffer_map_write (RvmBuffer *buffer, GError **error);
gboolean rvm_buffer_unmap (RvmBuffer *buffer, gpointer data, GError **error);

G_END_DECLS
