/* Where a dense readout begins: with a head that already looks at the place that is asked for. The attention readout has no positional encoding on its keys, so
 * each query would have to find out which tokens are its own; with little material it does not. But features tell where they are, and a linear map of
 * them to the positional encoding is found in closed form. */
#pragma once

#include "trainer/step/readout_step.h"

G_BEGIN_DECLS

typedef struct {
  guint dim, code, mlp, width, heads; /* of the readout; code is at most a head's width, and half of mlp */
  guint rows, columns;                /* of the grid of patches */
} RvmPlaceStart;

/* Sets the first head's queries and keys from @states, @n of (1 + rows * columns, dim). The caller calls rvm_readout_step_begin() afterwards. */
gboolean rvm_place_start (RvmReadoutStep *step, const RvmPlaceStart *start, const float *const *states, guint n, GError **error);

G_END_DECLS
