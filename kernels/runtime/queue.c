/* The commands of one stream, in order, and the first error among them. */
#include "queue.h"

#include "cl.h"
#include "process.h"
#include "program.h"

struct _RvmQueue {
  RvmDevice *device;
  cl_command_queue cl;
  gboolean profile;
  GHashTable *kernels; /* "FILE KERNEL OPTIONS" -> cl_kernel */
  GError *error;       /* the first since the last finish */
  guint64 launches;
  GHashTable *times;   /* interned name -> RvmProfileEntry */
  GArray *pending;     /* of Pending, while profiling */
  RvmQueueFlush hold_flush; /* launches what is held back; NULL: nothing ever is */
  gpointer hold_data;
  GDestroyNotify hold_free;
  RvmBuffer *scratch; /* or NULL */
};

typedef struct {
  const char *name; /* interned */
  cl_event event;
} Pending;

static void
release_kernel (gpointer kernel)
{
  clReleaseKernel (kernel);
}

RvmQueue *
rvm_queue_new (RvmDevice *device, gboolean profile, GError **error)
{
  RvmQueue *queue;
  cl_int status;
  cl_command_queue cl;

  if (!rvm_process_check (error))
    return NULL;
  cl = clCreateCommandQueue (rvm_device_get_context (device), rvm_device_get_id (device), profile ? CL_QUEUE_PROFILING_ENABLE : 0, &status);
  if (status != CL_SUCCESS) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE, "clCreateCommandQueue on %s: %s", rvm_device_get_name (device),
        rvm_cl_strerror (status));
    return NULL;
  }
  queue = g_new0 (RvmQueue, 1);
  queue->device = rvm_device_ref (device);
  queue->cl = cl;
  queue->profile = profile;
  queue->kernels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, release_kernel);
  queue->times = g_hash_table_new_full (g_direct_hash, g_direct_equal, NULL, g_free);
  queue->pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  return queue;
}

void
rvm_queue_free (RvmQueue *queue)
{
  if (queue == NULL || rvm_process_is_forked ()) /* its kernels and commands belong to the parent */
    return;
  rvm_queue_finish (queue, NULL);
  if (queue->hold_free)
    queue->hold_free (queue->hold_data);
  rvm_buffer_unref (queue->scratch);
  g_array_unref (queue->pending);
  g_hash_table_unref (queue->times);
  g_hash_table_unref (queue->kernels);
  clReleaseCommandQueue (queue->cl);
  rvm_device_unref (queue->device);
  g_free (queue);
}

RvmDevice *
rvm_queue_get_device (RvmQueue *queue)
{
  return queue->device;
}

void
rvm_queue_hold (RvmQueue *queue, RvmQueueFlush flush, gpointer data, GDestroyNotify free_data)
{
  g_return_if_fail (queue->hold_flush == NULL);

  queue->hold_flush = flush;
  queue->hold_data = data;
  queue->hold_free = free_data;
}

gpointer
rvm_queue_get_held (RvmQueue *queue, RvmQueueFlush flush)
{
  return queue->hold_flush == flush ? queue->hold_data : NULL;
}

/* Launches what is held back. */
static void
release_held (RvmQueue *queue)
{
  if (queue->hold_flush)
    queue->hold_flush (queue, queue->hold_data);
}

cl_command_queue
rvm_queue_get_cl (RvmQueue *queue)
{
  release_held (queue);
  return queue->cl;
}

gboolean
rvm_queue_is_profiling (RvmQueue *queue)
{
  return queue->profile;
}

gboolean
rvm_queue_has_failed (RvmQueue *queue)
{
  GError *error = NULL;

  if (queue->error == NULL && !rvm_process_check (&error))
    queue->error = error;
  return queue->error != NULL;
}

void
rvm_queue_fail (RvmQueue *queue, GError *error)
{
  if (queue->error == NULL)
    queue->error = error;
  else
    g_error_free (error);
}

static RvmError
code_of (cl_int status)
{
  switch (status) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_RESOURCES:
    case CL_OUT_OF_HOST_MEMORY:
      return RVM_ERROR_MEMORY;
    case CL_DEVICE_NOT_AVAILABLE:
      return RVM_ERROR_DEVICE;
    default:
      return RVM_ERROR_LAUNCH;
  }
}

gboolean
rvm_queue_check (RvmQueue *queue, cl_int status, const char *call)
{
  if (status != CL_SUCCESS)
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, code_of (status), "%s on %s: %s", call, rvm_device_get_name (queue->device),
                               rvm_cl_strerror (status)));
  return status == CL_SUCCESS;
}

/* To be called before a transfer: launches what is held back, and checks the transfer's range. */
static gboolean
prepare_transfer (RvmQueue *queue, const RvmBuffer *buffer, gsize offset, gsize size, const char *call)
{
  release_held (queue);
  if (rvm_queue_has_failed (queue))
    return FALSE;
  if (offset <= rvm_buffer_get_size (buffer) && size <= rvm_buffer_get_size (buffer) - offset)
    return TRUE;
  rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_ARGUMENT,
                             "%s: %" G_GSIZE_FORMAT " bytes at %" G_GSIZE_FORMAT " of a buffer of %" G_GSIZE_FORMAT, call, size, offset,
                             rvm_buffer_get_size (buffer)));
  return FALSE;
}

void
rvm_queue_write (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gconstpointer data, gsize size)
{
  if (prepare_transfer (queue, buffer, offset, size, "write"))
    rvm_queue_check (queue, clEnqueueWriteBuffer (queue->cl, rvm_buffer_get_mem (buffer), CL_FALSE, offset, size, data, 0, NULL, NULL),
        "clEnqueueWriteBuffer");
}

void
rvm_queue_read (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gpointer data, gsize size)
{
  if (prepare_transfer (queue, buffer, offset, size, "read"))
    rvm_queue_check (queue, clEnqueueReadBuffer (queue->cl, rvm_buffer_get_mem (buffer), CL_FALSE, offset, size, data, 0, NULL, NULL),
        "clEnqueueReadBuffer");
}

void
rvm_queue_zero (RvmQueue *queue, RvmBuffer *buffer, gsize offset, gsize size)
{
  static const cl_uchar zero = 0;

  if (prepare_transfer (queue, buffer, offset, size, "zero"))
    rvm_queue_check (queue, clEnqueueFillBuffer (queue->cl, rvm_buffer_get_mem (buffer), &zero, sizeof zero, offset, size, 0, NULL, NULL),
        "clEnqueueFillBuffer");
}

void
rvm_queue_copy (RvmQueue *queue, RvmBuffer *from, gsize from_offset, RvmBuffer *to, gsize to_offset, gsize size)
{
  if (prepare_transfer (queue, from, from_offset, size, "copy") && prepare_transfer (queue, to, to_offset, size, "copy"))
    rvm_queue_check (queue, clEnqueueCopyBuffer (queue->cl, rvm_buffer_get_mem (from), rvm_buffer_get_mem (to), from_offset, to_offset, size, 0, NULL,
                      NULL),
        "clEnqueueCopyBuffer");
}

cl_kernel
rvm_queue_get_kernel (RvmQueue *queue, const char *file, const char *source, const char *kernel, const char *options)
{
  char name[512];
  cl_kernel made;
  cl_program program;
  GError *error = NULL;
  cl_int status;

  if (rvm_queue_has_failed (queue))
    return NULL;
  g_snprintf (name, sizeof name, "%s %s %s", file, kernel, options);
  made = g_hash_table_lookup (queue->kernels, name);
  if (made)
    return made;
  program = rvm_programs_get (rvm_device_get_programs (queue->device), file, source, options, &error);
  if (program == NULL) {
    rvm_queue_fail (queue, error);
    return NULL;
  }
  made = clCreateKernel (program, kernel, &status);
  if (status != CL_SUCCESS) {
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_BUILD, "clCreateKernel (%s in %s.cl): %s", kernel, file,
                               rvm_cl_strerror (status)));
    return NULL;
  }
  g_hash_table_insert (queue->kernels, g_strdup (name), made);
  return made;
}

void
rvm_queue_count (RvmQueue *queue, const char *name, cl_event event)
{
  queue->launches++;
  if (event) {
    const Pending pending = { g_intern_string (name), event };
    g_array_append_val (queue->pending, pending);
  }
}

void
rvm_queue_flush (RvmQueue *queue)
{
  release_held (queue);
  if (!rvm_queue_has_failed (queue))
    rvm_queue_check (queue, clFlush (queue->cl), "clFlush");
}

/* Adds the times of finished events to the profile. */
static void
collect_times (RvmQueue *queue)
{
  for (guint i = 0; i < queue->pending->len; i++) {
    const Pending *pending = &g_array_index (queue->pending, Pending, i);
    RvmProfileEntry *entry = g_hash_table_lookup (queue->times, pending->name);
    cl_ulong start = 0, end = 0;

    if (entry == NULL) {
      entry = g_new0 (RvmProfileEntry, 1);
      entry->name = pending->name;
      g_hash_table_insert (queue->times, (gpointer) pending->name, entry);
    }
    if (clGetEventProfilingInfo (pending->event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) == CL_SUCCESS
        && clGetEventProfilingInfo (pending->event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) == CL_SUCCESS && end > start)
      entry->nanoseconds += end - start;
    entry->launches++;
    clReleaseEvent (pending->event);
  }
  g_array_set_size (queue->pending, 0);
}

gboolean
rvm_queue_finish (RvmQueue *queue, GError **error)
{
  release_held (queue);
  /* What was enqueued before a failure is waited for, too, but not in a process that OpenCL does not work in. */
  if (!rvm_process_is_forked ()) {
    const cl_int status = clFinish (queue->cl);

    rvm_queue_check (queue, status, "clFinish");
    /* Copies to and from the caller's memory may still run: waits once more before the caller may free that memory. */
    if (status != CL_SUCCESS)
      clFinish (queue->cl);
    collect_times (queue);
  }
  if (!rvm_queue_has_failed (queue))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&queue->error));
  return FALSE;
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const RvmProfileEntry *x = a, *y = b;

  return x->nanoseconds < y->nanoseconds ? 1 : x->nanoseconds > y->nanoseconds ? -1 : g_strcmp0 (x->name, y->name);
}

GArray *
rvm_queue_get_profile (RvmQueue *queue)
{
  GArray *entries = g_array_new (FALSE, FALSE, sizeof (RvmProfileEntry));
  GHashTableIter iter;
  gpointer entry;

  g_hash_table_iter_init (&iter, queue->times);
  while (g_hash_table_iter_next (&iter, NULL, &entry))
    g_array_append_vals (entries, entry, 1);
  g_array_sort (entries, compare_times);
  return entries;
}

void
rvm_queue_reset_profile (RvmQueue *queue)
{
  g_hash_table_remove_all (queue->times);
}

guint64
rvm_queue_get_launches (RvmQueue *queue)
{
  return queue->launches;
}

RvmBuffer *
rvm_queue_get_scratch (RvmQueue *queue, gsize size)
{
  GError *error = NULL;

  release_held (queue); /* it takes scratch of its own, which may be larger and take the place of this */
  if (queue->scratch && rvm_buffer_get_size (queue->scratch) >= size)
    return queue->scratch;
  /* Commands that use the old one keep its memory until they are done. */
  g_clear_pointer (&queue->scratch, rvm_buffer_unref);
  queue->scratch = rvm_buffer_new (queue->device, size, "scratch", &error);
  if (queue->scratch == NULL)
    rvm_queue_fail (queue, error);
  return queue->scratch;
}
