/* A training recipe: a text is refused or gives values within their ranges, which written and read again are the same. */
#include "fuzz.h"

#include <string.h>

#include "trainer/recipes/recipe.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *) data, size), *written = NULL, *again = NULL;
  g_autoptr (GError) error = NULL;
  RvmRecipe recipe, second;
  gboolean good;

  rvm_recipe_init (&recipe);
  good = rvm_recipe_parse (&recipe, text, "input", &error);
  fuzz_check_error (good, &error);
  if (good && size % 4 == 0) { /* slow: not always */
    written = rvm_recipe_to_text (&recipe);
    rvm_recipe_init (&second);
    fuzz_assert (rvm_recipe_parse (&second, written, "written", &error));
    again = rvm_recipe_to_text (&second);
    fuzz_assert (strcmp (written, again) == 0);
  }
  if (good) {
    good = rvm_recipe_validate (&recipe, &error);
    fuzz_check_error (good, &error);
    if (good) {
      fuzz_assert (rvm_recipe_get_kept (&recipe) >= 1);
      fuzz_assert (rvm_recipe_get_rate (&recipe, recipe.steps - 1) >= 0);
    }
  }
  rvm_recipe_init (&recipe);
  good = rvm_recipe_set (&recipe, text, &error);
  fuzz_check_error (good, &error);
  return 0;
}
