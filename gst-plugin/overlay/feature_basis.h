/* RvmFeatureBasis: three directions in feature space that become red, green and blue. They are fitted on the first frames or read
 * from a file, and then stay, so that a colour keeps its meaning. Belongs to one stream. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_BASIS_COMPONENTS 3

typedef struct _RvmFeatureBasis RvmFeatureBasis;

/* @fit_frames: the principal components are those of the first frames. */
RvmFeatureBasis *rvm_feature_basis_new (guint fit_frames);
/* From a .npz or .safetensors file with the arrays `mean` (D), `components` (3, D) and `deviation` (3): standard deviations along
 * the components. RVM_ERROR_FILE, RVM_ERROR_FORMAT or RVM_ERROR_MODEL. */
RvmFeatureBasis *rvm_feature_basis_load (const gchar * path, GError ** error);
void rvm_feature_basis_free (RvmFeatureBasis * basis);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFeatureBasis, rvm_feature_basis_free)

/* Takes note of a frame, float32 (@n, @dim). A fitted basis is reset when @dim changes; for one of a file that is
 * RVM_ERROR_ARGUMENT. */
gboolean rvm_feature_basis_update (RvmFeatureBasis * basis,
    const gfloat * patches, guint n, guint dim, GError ** error);

/* The colour of a patch: 0.5 at the mean, 0 and 1 at two standard deviations, clamped. */
void rvm_feature_basis_colour (const RvmFeatureBasis * basis,
    const gfloat * patch, gdouble rgb[RVM_BASIS_COMPONENTS]);

G_END_DECLS
