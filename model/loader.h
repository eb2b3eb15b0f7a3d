/* RvmLoader: takes named arrays out of a weight file, one at a time, onto the device. Private to model/.
 *
 * The first failure sticks: later calls return NULL at once, so that the description of a network reads as a list of its layers
 * and is checked once, at its end. */
#pragma once

#include "kernels/runtime/buffer.h"
#include "kernels/ops/linear.h"
#include "parameters.h"
#include "model/format/weights.h"

G_BEGIN_DECLS

typedef struct _RvmLoader RvmLoader;

RvmLoader *rvm_loader_new (RvmWeights *weights, RvmDevice *device, RvmGemmProvider gemm, RvmElement precision);
void rvm_loader_free (RvmLoader *loader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmLoader, rvm_loader_free)

/* A vector as device memory. The name is formatted as by printf. */
RvmBuffer *rvm_loader_vector (RvmLoader *loader, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Linear layers of the same k inputs, side by side in one matrix of n columns in the order of the calls of
 * rvm_loader_add_linear(), which reads NAME/kernel and, with @has_bias, NAME/bias. */
RvmLinear *rvm_loader_begin_linear (RvmLoader *loader, guint k, guint n, gboolean has_bias);
void rvm_loader_add_linear (RvmLoader *loader, RvmLinear *linear, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* Returns @linear, or NULL (and frees it) after a failure. */
RvmLinear *rvm_loader_end_linear (RvmLoader *loader, RvmLinear *linear);

/* Keeps a list of every array and its place: (transfer full) (element-type RvmParameter), to be fetched after rvm_loader_finish(). */
void rvm_loader_keep_parameters (RvmLoader *loader);
GPtrArray *rvm_loader_steal_parameters (RvmLoader *loader);

/* Fills what was described: until then device memory is reserved, not written. Moves the first error to @error. */
gboolean rvm_loader_finish (RvmLoader *loader, GError **error);

/* 32 hexadecimal digits over the names and values in order, after rvm_loader_finish(). */
char *rvm_loader_get_id (const RvmLoader *loader);

G_END_DECLS
