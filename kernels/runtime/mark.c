/* A marker command and its event. */
#include "mark.h"

#include "cl.h"
#include "process.h"

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
  if (!rvm_queue_check (queue, status, "clEnqueueMarkerWithWaitList"))
    return NULL;
  rvm_queue_flush (queue);
  mark = g_new (RvmMark, 1);
  mark->event = event;
  return mark;
}

gboolean
rvm_mark_is_reached (const RvmMark *mark)
{
  cl_int status = CL_COMPLETE;

  if (rvm_process_is_forked ())
    return TRUE;
  return clGetEventInfo (mark->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL) != CL_SUCCESS || status <= CL_COMPLETE;
}

void
rvm_mark_free (RvmMark *mark)
{
  if (mark == NULL)
    return;
  if (!rvm_process_is_forked ())
    clReleaseEvent (mark->event);
  g_free (mark);
}
