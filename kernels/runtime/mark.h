/* RvmMark: a point between the commands of a queue. Work on the host that needs the commands before it may begin while later ones still run. */
#pragma once

#include "queue.h"

G_BEGIN_DECLS

typedef struct _RvmMark RvmMark;

/* (transfer full): a mark after everything enqueued so far, which is submitted to the device. NULL if the queue has failed or fails now;
 * rvm_queue_finish() then reports the error. */
RvmMark *rvm_queue_mark (RvmQueue *queue);
/* Whether everything before the mark has run, or failed. */
gboolean rvm_mark_is_reached (const RvmMark *mark);
void rvm_mark_free (RvmMark *mark);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMark, rvm_mark_free)

G_END_DECLS
