/* What only kernels/ sees: the OpenCL objects behind RvmDevice, RvmQueue and RvmBuffer, and the one function
 * through which every kernel is launched. */
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "queue.h"

G_BEGIN_DECLS

cl_context rvm_device_get_context (const RvmDevice *device);
cl_device_id rvm_device_get_id (const RvmDevice *device);
cl_command_queue rvm_device_get_transfers (const RvmDevice *device); /* for transfers that belong to no RvmQueue; any thread */
cl_mem rvm_buffer_get_mem (const RvmBuffer *buffer);
cl_command_queue rvm_queue_get_cl (RvmQueue *queue); /* after what was held back has been launched */

const char *rvm_cl_strerror (cl_int status); /* "CL_OUT_OF_RESOURCES" */

/* To be called before CLBlast is: what it keeps of a context is given back with the last device that has it (device.c). */
void rvm_device_set_clblast (RvmDevice *device);

/* A built program, from the process's table, the cache directory or the compiler (program.c). @file is the name of
 * an embedded source without ".cl" ("gemm"); common.cl goes before it. Owned by the device. Thread-safe. */
cl_program rvm_device_get_program (RvmDevice *device, const char *file, const char *options, GError **error);
/* The same for a source that is not embedded; @file names it in messages. */
cl_program rvm_device_build_program (RvmDevice *device, const char *file, const char *source, const char *options, GError **error);

/* The queue's own cl_kernel (cl_kernel arguments are not thread-safe, so a queue never shares them); made at first
 * use. NULL with the sticky error set when it cannot be built. */
cl_kernel rvm_queue_get_kernel (RvmQueue *queue, const char *file, const char *kernel, const char *options);

/* One kernel argument: a buffer (NULL allowed), a value of 4 bytes, or a uint16. */
typedef struct {
  enum { RVM_ARG_IS_VALUE, RVM_ARG_IS_BUFFER, RVM_ARG_IS_UINT16 } kind;
  const RvmBuffer *buffer;
  union {
    cl_uint u;
    cl_int i;
    cl_float f;
    cl_uint many[16];
  } value;
} RvmArg;

#define RVM_ARG_BUFFER(b) ((RvmArg){ .kind = RVM_ARG_IS_BUFFER, .buffer = (b) })
#define RVM_ARG_UINT(x) ((RvmArg){ .value.u = (x) })
#define RVM_ARG_FLOAT(x) ((RvmArg){ .value.f = (x) })

/* @local may be NULL. @name is used in errors and the profile. */
void rvm_queue_launch (RvmQueue *queue, cl_kernel kernel, const char *name, guint dims, const gsize *global,
    const gsize *local, guint n_args, const RvmArg *args);

/* The two common shapes, with RVM_VECTOR and RVM_GROUP set for the device: a work-group for each of @groups rows or blocks of rows; a
 * work-item for each vector of @columns and each of @rows. */
void rvm_queue_launch_rows (RvmQueue *queue, const char *file, const char *name, gsize groups, guint n_args, const RvmArg *args);
void rvm_queue_launch_columns (RvmQueue *queue, const char *file, const char *name, guint columns, gsize rows, guint n_args,
    const RvmArg *args);

/* For a provider that enqueues by itself (CLBlast): counts and, if @event, profiles under @name; releases @event. */
void rvm_queue_count (RvmQueue *queue, const char *name, cl_event event);
gboolean rvm_queue_is_profiling (RvmQueue *queue);
gboolean rvm_queue_has_failed (RvmQueue *queue);

/* What the queue holds back (chain.h). */
struct _RvmChain *rvm_queue_get_chain (RvmQueue *queue);

G_END_DECLS
