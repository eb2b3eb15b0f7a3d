/* Sums over rows of tokens, for gradients of vectors that are added to rows. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* out = sum over all pictures of rows @first to @first + @rows - 1 of each. */
typedef struct {
  RvmTensor x;         /* (pictures * rows of a picture, dim), with any offset and stride */
  guint pictures;
  guint first, rows;   /* of a picture */
  RvmBuffer *out;      /* (dim) */
  gboolean accumulate; /* adds to @out */
} RvmRowSum;

void rvm_sum_rows (RvmQueue *queue, const RvmRowSum *sum);

G_END_DECLS
