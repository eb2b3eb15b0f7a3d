/* rvm-cl-train info [FILE] */
#include "commands.h"
#include "model/config.h"
#include "model/default_model.h"

static void
print_transformer (const char *name, const RvmTransformerConfig *config)
{
  g_print ("%-12s width %u, %u layers, %u heads, MLP %u\n", name, config->dim, config->layers, config->heads, config->mlp);
}

/* What the model does not need and the file has all the same: a step, an optimiser's moments. */
static void
print_others (const RvmConfig *config, const RvmWeights *weights)
{
  g_autoptr (GPtrArray) others = rvm_config_list_others (config, weights);

  if (others->len)
    g_print ("%-12s %u arrays that the model does not need\n", "besides", others->len);
}

int
rvm_command_info (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("[FILE] - sizes, arrays and metadata of a weight file, by default of the bundled one");
  g_autoptr (GError) error = NULL, decoder_error = NULL;
  g_autoptr (RvmWeights) weights = NULL;
  GHashTableIter iter;
  gpointer key, value;
  const char *path;
  RvmConfig config;

  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc > 2) {
    g_printerr ("rvm-cl-train info: expected one FILE, or none\n");
    return 2;
  }
  path = argc == 2 ? argv[1] : rvm_default_model_get_path ();
  weights = rvm_weights_open (path, &error);
  /* A decoder that cannot be used is no reason not to describe what can. */
  if (weights == NULL
      || (!rvm_config_from_weights (&config, weights, TRUE, &decoder_error) && !rvm_config_from_weights (&config, weights, FALSE, &error))) {
    if (argc == 1)
      rvm_default_model_explain (&error);
    return rvm_command_fail (error, 1);
  }
  g_print ("%s: %s\n%-12s %u pixels\n", path, rvm_weights_get_format (weights), "patch", config.patch);
  print_transformer ("encoder", &config.encoder);
  print_transformer ("core", &config.core);
  if (config.decoder.layers)
    print_transformer ("decoder", &config.decoder);
  else if (decoder_error)
    g_print ("%-12s cannot be used: %s\n", "decoder", decoder_error->message);
  g_print ("%-12s %" G_GUINT64_FORMAT " without decoder, %" G_GUINT64_FORMAT " in all\n", "parameters",
      rvm_config_count_parameters (&config, FALSE), rvm_config_count_parameters (&config, TRUE));
  print_others (&config, weights);
  g_hash_table_iter_init (&iter, rvm_weights_get_metadata (weights));
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_print ("%-12s %s\n", (const char *) key, (const char *) value);
  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const RvmArray *array = rvm_weights_get_array (weights, i);
    g_autofree char *shape = rvm_array_format_shape (array);
    g_print ("  %-4s %-24s %s\n", rvm_array_get_dtype_name (array), shape, array->name);
  }
  return 0;
}
