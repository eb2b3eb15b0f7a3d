/* A marker command and its event. */
#include "mark.h"

#include "kernels/error.h"
#include "cl.h"

struct _RvmMark {
  cl_event event;
};

RvmMark *
rvm_queue_mark (RvmQueue *queue)
{
  RvmMark *mark;
  cl_event event;
  cl_int status;

  rvm_queue_flush (queue);
  if (rvm_queue_has_failed (queue))
    return NULL;
  status = clEnqueueMarkerWithWaitList (rvm_queue_get_cl (queue), 0, NULL, &event);
  if (status != CL_SUCCESS) {
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_LAUNCH, "clEnqueueMarkerWithWaitList on %s: %s",
                               rvm_device_get_name (rvm_queue_get_device (queue)), rvm_cl_strerror (status)));
    return NULL;
  }
  rvm_queue_flush (queue);
  mark = g_new (RvmMark, 1);
  mark->event = event;
  return mark;
}

gboolean
rvm_mark_is_reached (const RvmMark *mark)
{
  cl_int status = CL_COMPLETE;

  return clGetEventInfo (mark->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL) != CL_SUCCESS || status <= CL_COMPLETE;
}

void
rvm_mark_free (RvmMark *mark)
{
  if (mark == NULL)
    return;
  clReleaseEvent (mark->event);
  g_free (mark);
}
