/* Sets the arguments of a kernel and enqueues it. */
#include "launch.h"

#include "cl.h"

static cl_int
set_argument (cl_kernel kernel, guint index, const RvmArg *arg)
{
  const cl_mem mem = arg->buffer ? rvm_buffer_get_mem (arg->buffer) : NULL;

  switch (arg->kind) {
    case RVM_ARG_IS_BUFFER:
      return clSetKernelArg (kernel, index, sizeof mem, &mem);
    case RVM_ARG_IS_UINT16:
      return clSetKernelArg (kernel, index, sizeof arg->value.many, &arg->value);
    case RVM_ARG_IS_VALUE:
      break;
  }
  return clSetKernelArg (kernel, index, sizeof arg->value.u, &arg->value);
}

void
rvm_queue_launch (RvmQueue *queue, const RvmKernel *kernel, guint dims, const gsize *global, const gsize *local, guint n_args,
    const RvmArg *args)
{
  cl_command_queue cl = rvm_queue_get_cl (queue);
  const cl_kernel made = rvm_queue_get_kernel (queue, kernel->file, kernel->source, kernel->name, kernel->options);
  const char *call = "clSetKernelArg";
  cl_event event = NULL;
  cl_int status = CL_SUCCESS;

  if (made == NULL)
    return;
  for (guint i = 0; i < n_args && status == CL_SUCCESS; i++)
    status = set_argument (made, i, &args[i]);
  if (status == CL_SUCCESS) {
    call = "clEnqueueNDRangeKernel";
    status = clEnqueueNDRangeKernel (cl, made, dims, NULL, global, local, 0, NULL, rvm_queue_is_profiling (queue) ? &event : NULL);
  }
  if (status != CL_SUCCESS) {
    g_autofree char *what = g_strdup_printf ("%s (kernel '%s')", call, kernel->name);
    rvm_queue_check (queue, status, what);
    return;
  }
  rvm_queue_count (queue, kernel->name, event);
}
