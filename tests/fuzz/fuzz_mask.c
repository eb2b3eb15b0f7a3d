/* A mask as PNG: refused, or a picture whose objects are those in its list. */
#include "fuzz.h"

#include <string.h>

#include "video/mask_png.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmMask) mask = NULL, with_object = NULL;
  gboolean listed[256] = { TRUE };

  /* A small file may hold 16384 x 16384 pixels, which is right, and slow. */
  if (size >= 24 && (data[16] | data[17] | data[20] | data[21]))
    return 0;
  mask = rvm_mask_read_png_or_empty (fuzz_file (data, size), &error);
  fuzz_check_error (mask != NULL, &error);
  if (mask == NULL)
    return 0;
  with_object = rvm_mask_read_png (fuzz_file (data, size), &error);
  fuzz_check_error (with_object != NULL, &error);
  fuzz_assert ((with_object != NULL) == (mask->n_values > 0));
  fuzz_assert (mask->width > 0 && mask->height > 0 && mask->n_values <= 255);
  for (guint i = 0; i < mask->n_values; i++)
    listed[mask->values[i]] = TRUE;
  for (gsize i = 0; i < (gsize) mask->width * mask->height; i++)
    fuzz_assert (listed[mask->pixels[i]]);
  return 0;
}
