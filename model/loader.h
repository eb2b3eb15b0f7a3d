/* RvmLoader: reads the arrays of a weight file, one at a time, into device memory. Private to model/.
 *
 * The first error is kept, and every later call returns NULL. So the description of a network reads as a list of its layers, and is checked once, at
 * its end. */
#pragma once

#include "kernels/runtime/buffer.h"
#include "kernels/ops/linear.h"
#include "parameters.h"
#include "model/format/weights.h"
#include "schema.h"

G_BEGIN_DECLS

typedef struct _RvmLoader RvmLoader;

/* @schema: with the sizes of @weights, whose arrays have been checked against it. @schema is copied, the rest is borrowed until rvm_loader_free(). */
RvmLoader *rvm_loader_new (RvmWeights *weights, const RvmSchema *schema, RvmDevice *device, RvmGemmProvider gemm, RvmElement precision);
void rvm_loader_free (RvmLoader *loader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmLoader, rvm_loader_free)

/* One array of a layer as device memory. */
RvmBuffer *rvm_loader_vector (RvmLoader *loader, RvmSite site, RvmRole role);

/* Linear layers with the same input, side by side in one matrix, in the order of @sites. With @with_bias their biases are loaded, too. */
RvmLinear *rvm_loader_linear (RvmLoader *loader, const RvmSite *sites, guint n_sites, gboolean with_bias);

/* Makes the loader list every array with its place on the device, and load weights that can be trained: float32, with products as the precision says
 * (rvm_linear_new_trainable()), but for the layers that take and give pixels, whose products are float32. To be called before any layer is asked for. The
 * list, (transfer full) (element-type RvmParameter), can be taken after rvm_loader_finish(). */
void rvm_loader_keep_parameters (RvmLoader *loader);
GPtrArray *rvm_loader_steal_parameters (RvmLoader *loader);

/* Reads the arrays of all layers that were asked for. Before that, their device memory is allocated but not written. Moves the first error to
 * @error. */
gboolean rvm_loader_finish (RvmLoader *loader, GError **error);

/* (transfer full): a hash of the names and values, in the order in which they were asked for, as 32 hexadecimal digits. Only after
 * rvm_loader_finish(). */
char *rvm_loader_get_id (const RvmLoader *loader);

G_END_DECLS
