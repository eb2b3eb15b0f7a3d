/* rvm-cl-train init --config NAME OUT: makes a weight file of random values, to start a training from or to try the element with. */
#include "commands.h"
#include "model/config.h"
#include "program/interrupts.h"
#include "trainer/recipes/recipe.h"
#include "trainer/run/initialise.h"

/* Sizes that are given as options replace those of the named configuration or the recipe. */
static gboolean
choose_sizes (RvmRecipe *recipe, const char *name, const char *recipe_name, const int sizes[12], gboolean no_decoder, GError **error)
{
  RvmConfig *config = &recipe->model;
  guint *const fields[12] = {
    &config->patch, &config->encoder.dim, &config->encoder.layers, &config->encoder.heads, &config->encoder.mlp,
    &config->core.layers, &config->core.heads, &config->core.mlp,
    &config->decoder.dim, &config->decoder.layers, &config->decoder.heads, &config->decoder.mlp,
  };
  const RvmConfig *named = rvm_config_find (name);

  rvm_recipe_init (recipe);
  if (recipe_name && !rvm_recipe_load (recipe, recipe_name, error))
    return FALSE;
  if (recipe_name == NULL && named == NULL) {
    g_autofree char *names = g_strjoinv (", ", (char **) rvm_config_list_names ());
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--config %s: expected one of %s", name, names);
    return FALSE;
  }
  if (recipe_name == NULL)
    *config = *named;
  for (guint i = 0; i < 12; i++)
    if (sizes[i] != -1)
      *fields[i] = MAX (sizes[i], 0);
  config->core.dim = config->encoder.dim;
  if (no_decoder)
    config->decoder.layers = 0;
  return rvm_config_validate (config, error);
}

int
rvm_command_init (int argc, char **argv)
{
  g_autofree char *name = NULL, *recipe = NULL;
  gint64 seed = -1;
  gboolean no_decoder = FALSE;
  int sizes[12] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
  const GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_STRING, &name, "tiny, small16 (default), base16, large16 or huge16", "NAME" },
    { "recipe", 'r', 0, G_OPTION_ARG_FILENAME, &recipe, "sizes and start of a recipe instead: a file, or cpu, tiny or small16", "RECIPE" },
    { "patch", 0, 0, G_OPTION_ARG_INT, &sizes[0], "side of a patch, pixels", "N" },
    { "dim", 0, 0, G_OPTION_ARG_INT, &sizes[1], "width of a token", "N" },
    { "layers", 0, 0, G_OPTION_ARG_INT, &sizes[2], "encoder layers", "N" },
    { "heads", 0, 0, G_OPTION_ARG_INT, &sizes[3], "encoder heads", "N" },
    { "mlp", 0, 0, G_OPTION_ARG_INT, &sizes[4], "encoder MLP width", "N" },
    { "core-layers", 0, 0, G_OPTION_ARG_INT, &sizes[5], "core layers", "N" },
    { "core-heads", 0, 0, G_OPTION_ARG_INT, &sizes[6], "core heads", "N" },
    { "core-mlp", 0, 0, G_OPTION_ARG_INT, &sizes[7], "core MLP width", "N" },
    { "decoder-dim", 0, 0, G_OPTION_ARG_INT, &sizes[8], "decoder width", "N" },
    { "decoder-layers", 0, 0, G_OPTION_ARG_INT, &sizes[9], "decoder layers", "N" },
    { "decoder-heads", 0, 0, G_OPTION_ARG_INT, &sizes[10], "decoder heads", "N" },
    { "decoder-mlp", 0, 0, G_OPTION_ARG_INT, &sizes[11], "decoder MLP width", "N" },
    { "no-decoder", 0, 0, G_OPTION_ARG_NONE, &no_decoder, "encoder and core only", NULL },
    { "seed", 's', 0, G_OPTION_ARG_INT64, &seed, "seed of the random values (default: the recipe's, or 0)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("OUT - make a weight file of random values (.npz or .safetensors)");
  g_autoptr (GError) error = NULL;
  RvmRecipe used;
  gboolean ok;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 2 || (name && recipe) || seed < -1) {
    g_printerr ("rvm-cl-train init: expected one OUT, --config or --recipe, and a seed of 0 or more\n");
    return 2;
  }
  if (!choose_sizes (&used, name ? name : "small16", recipe, sizes, no_decoder, &error))
    return rvm_command_fail (error, 2);
  if (seed >= 0)
    used.seed = seed;
  rvm_interrupts_catch (); /* no file is left half written */
  ok = rvm_initialise_file (argv[1], &used, &error);
  rvm_interrupts_deliver ();
  if (!ok)
    return rvm_command_fail (error, 1);
  g_print ("%s: untrained weights, %" G_GUINT64_FORMAT " parameters\n", argv[1], rvm_config_count_parameters (&used.model, TRUE));
  return 0;
}
