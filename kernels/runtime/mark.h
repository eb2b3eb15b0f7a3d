/* RvmMark: a point in a queue's list of launches, for work on the host that may begin while later launches still run. */
#pragma once

#include "queue.h"

G_BEGIN_DECLS

typedef struct _RvmMark RvmMark;

/* After everything enqueued so far, which is handed to the device. NULL when the queue has failed or fails now: its finish tells. */
RvmMark *rvm_queue_mark (RvmQueue *queue);
gboolean rvm_mark_is_reached (const RvmMark *mark); /* also when what came before has failed */
void rvm_mark_free (RvmMark *mark);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMark, rvm_mark_free)

G_END_DECLS
