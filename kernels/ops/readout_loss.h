/* Losses of readouts, and their gradients. The rule for gradients is stated in linear_backward.h. All matrices are contiguous. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

typedef struct {
  RvmTensor x;             /* (rows, columns) */
  RvmTensor target;        /* (rows, columns) */
  const RvmBuffer *weight; /* (rows): of each row's loss; 0: the row does not count */
  RvmTensor dx;            /* (rows, columns): the gradient of the sum of the losses */
  RvmBuffer *row_loss;     /* (rows), weighted */
} RvmReadoutLoss;

/* -sum of target log softmax (x). Each row of the target sums to 1. */
void rvm_cross_entropy (RvmQueue *queue, const RvmReadoutLoss *loss);

/* Sum of |x - target|. A target of RVM_TARGET_UNKNOWN (cl/flags.h) does not count. */
void rvm_absolute_error (RvmQueue *queue, const RvmReadoutLoss *loss);

G_END_DECLS
