/* AdamW and what gradient clipping needs, over flat float32 arrays. */
#pragma once

#include <glib.h>

#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

/* How many floats rvm_square_sums() writes for an array of @count. */
guint rvm_square_sums_count (guint count);
/* Partial sums of the squares of @x, to @out from float @offset; their sum in that order is reproducible. */
void rvm_square_sums (RvmQueue *queue, const RvmBuffer *x, guint count, RvmBuffer *out, guint offset);

/* One step of AdamW (Loshchilov and Hutter 2019): decoupled decay, bias correction; the gradient is multiplied by @clip first. */
typedef struct {
  double rate, b1, b2, epsilon, decay;
  double clip;
  guint64 step; /* from 1 */
} RvmAdamW;

void rvm_adamw (RvmQueue *queue, RvmBuffer *x, const RvmBuffer *gradient, RvmBuffer *m, RvmBuffer *v, guint count, const RvmAdamW *adamw);

G_END_DECLS
