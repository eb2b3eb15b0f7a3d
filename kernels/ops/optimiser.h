/* AdamW, and the sums of squares that gradient clipping needs. All arrays are flat float32, of @count elements. */
#pragma once

#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

/* How many floats rvm_square_sums() writes for an array of @count elements. */
guint rvm_square_sums_count (guint count);
/* Writes partial sums of the squares of @x to @out, from float @offset on. Adding them up in that order gives a reproducible sum. */
void rvm_square_sums (RvmQueue *queue, const RvmBuffer *x, guint count, RvmBuffer *out, guint offset);

/* AdamW (Loshchilov and Hutter 2019), with decoupled decay and bias correction. */
typedef struct {
  double rate, b1, b2, epsilon, decay;
  double clip;  /* the gradient is multiplied by this first */
  guint64 step; /* from 1 */
} RvmAdamW;

/* One step: updates the weights @x and their moments @m and @v. */
void rvm_adamw (RvmQueue *queue, RvmBuffer *x, const RvmBuffer *gradient, RvmBuffer *m, RvmBuffer *v, guint count, const RvmAdamW *adamw);

G_END_DECLS
