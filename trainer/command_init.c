/* rvm-cl-train init --config NAME OUT: weights to start training from, or to try the element with. */
#include "commands.h"
#include "initialise.h"
#include "model/config.h"

static gboolean
make_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  rvm_initialise_array (array, *(const gint64 *) user_data, values);
  return TRUE;
}

/* Sizes given one by one replace those of the named configuration. */
static gboolean
choose_config (RvmConfig *config, const char *name, const int sizes[12], gboolean no_decoder, GError **error)
{
  guint *const fields[12] = {
    &config->patch, &config->encoder.dim, &config->encoder.layers, &config->encoder.heads, &config->encoder.mlp,
    &config->core.layers, &config->core.heads, &config->core.mlp,
    &config->decoder.dim, &config->decoder.layers, &config->decoder.heads, &config->decoder.mlp,
  };
  const RvmConfig *named = rvm_config_find (name);

  if (named == NULL) {
    g_autofree char *names = g_strjoinv (", ", (char **) rvm_config_list_names ());
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--config %s: expected one of %s", name, names);
    return FALSE;
  }
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
  g_autofree char *name = NULL;
  gint64 seed = 0;
  gboolean no_decoder = FALSE;
  int sizes[12] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
  const GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_STRING, &name, "tiny, small16 (default), base16, large16 or huge16", "NAME" },
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
    { "seed", 's', 0, G_OPTION_ARG_INT64, &seed, "seed of the random values (default 0)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("OUT - make a weight file of random values (.npz or .safetensors)");
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GArray) arrays = NULL;
  g_autoptr (GError) error = NULL;
  RvmConfig config;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 2) {
    g_printerr ("rvm-cl-train init: expected one OUT\n");
    return 2;
  }
  if (!choose_config (&config, name ? name : "small16", sizes, no_decoder, &error))
    return rvm_command_fail (error, 2);
  arrays = rvm_config_list_arrays (&config, TRUE);
  g_hash_table_insert (metadata, "format_version", g_strdup ("1"));
  g_hash_table_insert (metadata, "origin", g_strdup_printf ("untrained, random values of seed %" G_GINT64_FORMAT, seed));
  g_hash_table_insert (metadata, "patch", g_strdup_printf ("%u", config.patch));
  g_hash_table_insert (metadata, "step", g_strdup ("0"));
  if (!rvm_weights_save (argv[1], (const RvmArray *) arrays->data, arrays->len, make_values, &seed, metadata, &error))
    return rvm_command_fail (error, 1);
  g_print ("%s: untrained weights, %" G_GUINT64_FORMAT " parameters\n", argv[1], rvm_config_count_parameters (&config, TRUE));
  return 0;
}
