/* Backward pass of the layer norm (norm.h). The rule for gradients is stated in linear_backward.h. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* Floats of scratch memory that rvm_layernorm_backward() and rvm_gate_context_backward() need. */
gsize rvm_norm_backward_scratch (guint rows, guint dim);

/* Mean and deviation are computed again from @x. */
typedef struct {
  RvmTensor x, dout;         /* (rows, dim), contiguous */
  const RvmBuffer *scale;    /* (dim) */
  RvmTensor dx;              /* (rows, dim), contiguous; not @dout */
  gboolean accumulate_dx;    /* adds to @dx: the norm's input also goes past the layer */
  RvmBuffer *dscale, *dbias; /* (dim); @dbias may be NULL */
  gboolean accumulate;       /* @dscale and @dbias */
  RvmBuffer *scratch;
  float epsilon;
} RvmLayerNormBackward;

void rvm_layernorm_backward (RvmQueue *queue, const RvmLayerNormBackward *norm);

G_END_DECLS
