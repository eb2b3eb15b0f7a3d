/* RvmReduce: gradients summed over all processes (parallel.h) while the backward pass still runs. They are complete in parts, from the end
 * of the network to its beginning: the decoder, the core, each block of the encoder, the rest. A part is read back and summed as
 * soon as the device has come past it. */
#pragma once

#include "trainer/backward/gradients.h"

G_BEGIN_DECLS

typedef struct _RvmReduce RvmReduce;

/* Takes host memory for all gradients. Keeps references to neither. */
RvmReduce *rvm_reduce_new (const RvmModel *model, const RvmGradients *gradients);
void rvm_reduce_free (RvmReduce *reduce);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReduce, rvm_reduce_free)

/* What has been enqueued so far completes the gradients of the decoder, of the core, of an encoder block. To be called once for each part
 * of a pass, blocks from the last to the first. */
void rvm_reduce_decoder_done (RvmReduce *reduce, RvmQueue *queue);
void rvm_reduce_core_done (RvmReduce *reduce, RvmQueue *queue);
void rvm_reduce_block_done (RvmReduce *reduce, RvmQueue *queue, guint block);
/* Completes the rest, waits, and enqueues what puts the sums in place of the gradients; the memory they come from is used until the
 * queue's finish. */
gboolean rvm_reduce_finish (RvmReduce *reduce, RvmQueue *queue, GError **error);

/* Of all passes: bytes summed, and those of them whose sum was complete before the device was. */
void rvm_reduce_get_overlap (const RvmReduce *reduce, guint64 *bytes, guint64 *overlapped);

G_END_DECLS
