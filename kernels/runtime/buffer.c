/* Device memory. Maps use the device's own queue for transfers, so they need no RvmQueue. */
#define _DEFAULT_SOURCE /* madvise() */
#include "buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cl.h"
#include "kernels/error.h"
#include "process.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

struct _RvmBuffer {
  gatomicrefcount refs;
  RvmDevice *device;
  cl_mem mem;
  gsize size;
};

RvmBuffer *
rvm_buffer_new (RvmDevice *device, gsize size, const char *what, GError **error)
{
  RvmBuffer *buffer;
  cl_int status = CL_INVALID_BUFFER_SIZE;
  cl_mem mem = NULL;

  if (!rvm_process_check (error))
    return NULL;
  if (size > 0 && size <= rvm_device_get_max_allocation (device))
    mem = clCreateBuffer (rvm_device_get_context (device), CL_MEM_READ_WRITE, size, NULL, &status);
  if (mem == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_MEMORY,
        "no memory for %s: %" G_GSIZE_FORMAT " bytes on %s, which allows %" G_GUINT64_FORMAT " at once (clCreateBuffer: %s)", what, size,
        rvm_device_get_name (device), rvm_device_get_max_allocation (device), rvm_cl_strerror (status));
    return NULL;
  }
  buffer = g_new0 (RvmBuffer, 1);
  g_atomic_ref_count_init (&buffer->refs);
  buffer->device = rvm_device_ref (device);
  buffer->mem = mem;
  buffer->size = size;
  return buffer;
}

RvmBuffer *
rvm_buffer_ref (RvmBuffer *buffer)
{
  g_atomic_ref_count_inc (&buffer->refs);
  return buffer;
}

void
rvm_buffer_unref (RvmBuffer *buffer)
{
  if (buffer == NULL || !g_atomic_ref_count_dec (&buffer->refs) || rvm_process_is_forked ())
    return;
  clReleaseMemObject (buffer->mem);
  rvm_device_unref (buffer->device);
  g_free (buffer);
}

gsize
rvm_buffer_get_size (const RvmBuffer *buffer)
{
  return buffer->size;
}

cl_mem
rvm_buffer_get_mem (const RvmBuffer *buffer)
{
  return buffer->mem;
}

static void
set_error (const RvmBuffer *buffer, GError **error, RvmError code, const char *what, const char *call, cl_int status)
{
  g_set_error (error, RVM_ERROR, code, "cannot %s %" G_GSIZE_FORMAT " bytes of %s: %s: %s", what, buffer->size,
      rvm_device_get_name (buffer->device), call, rvm_cl_strerror (status));
}

/* For memory that is about to be written whole: makes the operating system provide all its pages at once. That takes half as long as one page fault
 * after another, and saves 40 ms of small16's start. Older kernels refuse, and the pages fault as usual. */
static void
take_pages (gpointer data, gsize size)
{
  const gsize page = sysconf (_SC_PAGESIZE), skip = -(gsize) data & (page - 1);

  if (size >= skip + page)
    madvise ((char *) data + skip, (size - skip) & ~(page - 1), MADV_POPULATE_WRITE);
}

gpointer
rvm_buffer_map_write (RvmBuffer *buffer, GError **error)
{
  cl_int status;
  gpointer data;

  if (!rvm_process_check (error))
    return NULL;
  data = clEnqueueMapBuffer (rvm_device_get_transfers (buffer->device), buffer->mem, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0, buffer->size, 0, NULL,
      NULL, &status);
  if (status == CL_SUCCESS) {
    if (rvm_device_runs_on_cpu (buffer->device))
      take_pages (data, buffer->size);
    return data;
  }
  set_error (buffer, error, RVM_ERROR_MEMORY, "map", "clEnqueueMapBuffer", status);
  return NULL;
}

gboolean
rvm_buffer_unmap (RvmBuffer *buffer, gpointer data, GError **error)
{
  cl_command_queue queue = rvm_device_get_transfers (buffer->device);
  const char *call = "clEnqueueUnmapMemObject";
  cl_int status;

  if (!rvm_process_check (error))
    return FALSE;
  status = clEnqueueUnmapMemObject (queue, buffer->mem, data, 0, NULL, NULL);
  if (status == CL_SUCCESS) {
    call = "clFinish";
    status = clFinish (queue);
  }
  if (status != CL_SUCCESS)
    set_error (buffer, error, RVM_ERROR_LAUNCH, "unmap", call, status);
  return status == CL_SUCCESS;
}
