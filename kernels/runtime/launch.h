/* Launching kernels. Private to kernels/ and its tests.
 *
 * A launch goes to a queue and returns nothing: if it fails, its error is the queue's (queue.h). */
#pragma once

#include "queue.h"

G_BEGIN_DECLS

typedef struct {
  const char *file;    /* an embedded source without ".cl": "linear" */
  const char *name;    /* of the kernel in that file; also used in errors and in the profile */
  const char *options; /* for the compiler: "-DRVM_VECTOR=8" */
  const char *source;  /* NULL; a test's own source instead of the embedded one */
} RvmKernel;

/* One argument: a buffer (NULL allowed), a value of 4 bytes, or an OpenCL uint16. */
typedef struct {
  enum { RVM_ARG_IS_VALUE, RVM_ARG_IS_BUFFER, RVM_ARG_IS_UINT16 } kind;
  const RvmBuffer *buffer;
  union {
    guint32 u;
    float f;
    guint32 many[16];
  } value;
} RvmArg;

#define RVM_ARG_BUFFER(b) ((RvmArg){ .kind = RVM_ARG_IS_BUFFER, .buffer = (b) })
#define RVM_ARG_UINT(x) ((RvmArg){ .value.u = (x) })
#define RVM_ARG_FLOAT(x) ((RvmArg){ .value.f = (x) })
/* Three arguments: the buffer, offset and stride of an RvmTensor (kernels/tensor.h). */
#define RVM_ARGS_TENSOR(t) RVM_ARG_BUFFER ((t).buffer), RVM_ARG_UINT ((t).offset), RVM_ARG_UINT ((t).stride)

/* @global, @local: @dims sizes each; @local NULL leaves the size of work-groups to the driver. */
void rvm_queue_launch (RvmQueue *queue, const RvmKernel *kernel, guint dims, const gsize *global, const gsize *local, guint n_args,
    const RvmArg *args);

G_END_DECLS
