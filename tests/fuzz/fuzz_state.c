/* A state file: refused, or whole: as many values as it says, all finite. */
#include "fuzz.h"

#include <math.h>

#include "model/state.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmState) state = rvm_state_open (fuzz_file (data, size), &error);
  g_autofree char *hash = NULL;
  const float *values;
  gsize bytes;

  fuzz_check_error (state != NULL, &error);
  if (state == NULL)
    return 0;
  values = g_bytes_get_data (state->values, &bytes);
  fuzz_assert (bytes <= size && bytes == (gsize) state->tokens * state->dim * sizeof (float) && bytes > 0);
  fuzz_assert (rvm_state_has_shape (state, state->tokens, state->dim) && state->frames > 0 && state->width > 0 && state->height > 0);
  for (gsize i = 0; i < bytes / sizeof (float); i++)
    fuzz_assert (isfinite (values[i]));
  hash = rvm_state_get_hash (state);
  fuzz_assert (g_utf8_strlen (hash, -1) == 16);
  return 0;
}
