/* The OpenCL objects behind RvmDevice, RvmBuffer and RvmQueue. Private to kernels/ and its tests.
 *
 * Only this header includes OpenCL's, and it includes no other header of this project, so every file that owns or needs one of these objects can
 * include it. What is returned belongs to the object it was asked of. */
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmDevice RvmDevice;
typedef struct _RvmBuffer RvmBuffer;
typedef struct _RvmQueue RvmQueue;
typedef struct _RvmPrograms RvmPrograms;

/* device.c */
cl_context rvm_device_get_context (const RvmDevice *device);
cl_device_id rvm_device_get_id (const RvmDevice *device);
cl_command_queue rvm_device_get_transfers (const RvmDevice *device); /* for transfers that belong to no RvmQueue; usable from any thread */
RvmPrograms *rvm_device_get_programs (const RvmDevice *device);      /* program.h */

/* buffer.c */
cl_mem rvm_buffer_get_mem (const RvmBuffer *buffer);

/* queue.c */

/* For commands that are enqueued without rvm_queue_launch(). Launches that were held back are enqueued first. */
cl_command_queue rvm_queue_get_cl (RvmQueue *queue);
/* The queue's own object for a kernel, made at first use: setting the arguments of a cl_kernel is not thread-safe, so queues do not share them.
 * @file: an embedded source without ".cl"; @source: (nullable) used instead of the embedded one. NULL with the sticky error set if it cannot be
 * built. */
cl_kernel rvm_queue_get_kernel (RvmQueue *queue, const char *file, const char *source, const char *kernel, const char *options);
/* Whether @status is success; otherwise @call, which failed with it, becomes the sticky error unless there is one. */
gboolean rvm_queue_check (RvmQueue *queue, cl_int status, const char *call);
/* Counts a command that was enqueued. @event: (nullable) (transfer full) profiled under @name. */
void rvm_queue_count (RvmQueue *queue, const char *name, cl_event event);

/* cl.c */

const char *rvm_cl_strerror (cl_int status); /* "CL_OUT_OF_RESOURCES" */
/* Whether @status is a failure. @problem: in and out, "CALL: ERROR" of the first call that failed, or NULL. */
gboolean rvm_cl_has_failed (cl_int status, const char *call, char **problem);
/* (transfer full): "?" with @problem set if it cannot be had. */
char *rvm_cl_get_device_string (cl_device_id id, cl_device_info what, char **problem);
char *rvm_cl_get_platform_string (cl_platform_id id, cl_platform_info what, char **problem);

G_END_DECLS
