/* A file of colours for features: refused, or it can colour. */
#include "fuzz.h"

#include "gst-plugin/overlay/feature_basis.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmFeatureBasis) basis = rvm_feature_basis_load (fuzz_file (data, size), &error);
  static const gfloat patch[2] = { 0.5, -1 };
  gdouble rgb[RVM_BASIS_COMPONENTS];

  fuzz_check_error (basis != NULL, &error);
  if (basis == NULL || !rvm_feature_basis_update (basis, patch, 1, G_N_ELEMENTS (patch), NULL))
    return 0;
  rvm_feature_basis_colour (basis, patch, rgb);
  for (guint c = 0; c < RVM_BASIS_COMPONENTS; c++)
    fuzz_assert (rgb[c] >= 0 && rgb[c] <= 1);
  return 0;
}
