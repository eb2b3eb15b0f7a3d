/* The recipe that weights were trained with. */
#pragma once

#include "recipe.h"

G_BEGIN_DECLS

/* The recipe in the metadata of the weight file @path, with the sizes of its arrays, decoder included. If it has none, as published weights, the
 * defaults with frames of 256 x 256. A file without decoder is an error. */
gboolean rvm_recipe_load_trained (RvmRecipe *recipe, const char *path, GError **error);

G_END_DECLS
