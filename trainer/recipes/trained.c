/* Reads the metadata of a weight file. */
#include "trained.h"

#include "model/format/weights.h"

gboolean
rvm_recipe_load_trained (RvmRecipe *recipe, const char *path, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  const char *text = weights ? g_hash_table_lookup (rvm_weights_get_metadata (weights), "recipe") : NULL;

  rvm_recipe_init (recipe);
  if (weights == NULL)
    return FALSE;
  if (text == NULL)
    recipe->width = recipe->height = 256;
  else if (!rvm_recipe_parse (recipe, text, path, error))
    return FALSE;
  return rvm_config_from_weights (&recipe->model, weights, TRUE, error);
}
