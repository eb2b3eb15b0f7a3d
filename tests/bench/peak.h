/* The rate of multiply-adds that touch no memory: what no product of matrices can exceed. */
#pragma once

#include "kernels/runtime/queue.h"

typedef struct _Peak Peak;

/* NULL with an error if the kernel cannot be built. */
Peak *peak_new (RvmDevice *device, RvmQueue *queue, GError **error);
void peak_free (Peak *peak);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Peak, peak_free)

/* One measurement of some milliseconds; waits for the queue. */
gboolean peak_time (Peak *peak, GError **error);
double peak_gflops (const Peak *peak); /* the median */
