/* RvmParameter: a named array of a weight file, and where it is on the device. Private to model/ and trainer/.
 *
 * Layers with the same input lie side by side in one matrix, stored as its provider wants it. So an array is a range of columns of a linear layer or of
 * its bias, or it is a vector. */
#pragma once

#include "kernels/ops/linear.h"
#include "model/format/npy.h"

G_BEGIN_DECLS

typedef struct {
  RvmArray array;         /* name and shape, dtype F32 */
  RvmLinear *linear;      /* (transfer none), NULL for a vector */
  gboolean is_bias;       /* of the linear layer, not its kernel */
  guint column, columns;
  RvmBuffer *vector;      /* (transfer none), NULL for a linear layer */
} RvmParameter;

void rvm_parameter_free (RvmParameter *parameter);

/* (transfer none): the device memory that holds the array, alone or with others. */
RvmBuffer *rvm_parameter_get_buffer (const RvmParameter *parameter);
guint64 rvm_parameter_get_size (const RvmParameter *parameter); /* elements */

/* Convert between @values, in the file's order, and @stored, a host copy of a buffer with the parameter's layout: the parameter itself, its gradient or
 * a moment of the optimiser. */
void rvm_parameter_pack (const RvmParameter *parameter, float *stored, const float *values);
void rvm_parameter_unpack (const RvmParameter *parameter, const float *stored, float *values);

G_END_DECLS
