/* rvm-cl-train info [FILE]: a summary of a weight file on one screen; options print its long lists. */
#include <string.h>

#include "commands.h"
#include "model/config.h"
#include "model/default_model.h"
#include "model/readout/info.h"

enum {
  NAMES = 3,   /* files of each kind that are named without --files */
  VALUE = 120, /* characters of a value that are shown without --metadata */
};

static void
print_transformer (const char *name, const RvmTransformerConfig *config)
{
  g_print ("%-12s width %u, %u layers, %u heads, MLP %u\n", name, config->dim, config->layers, config->heads, config->mlp);
}

/* Counts the arrays of the file that the model does not need, such as an optimiser's moments. */
static void
print_others (const RvmConfig *config, const RvmWeights *weights)
{
  g_autoptr (GPtrArray) others = rvm_config_list_others (config, weights);

  if (others->len)
    g_print ("%-12s %u arrays that the model does not need\n", "besides", others->len);
}

static void
print_names (GKeyFile *file, const char *group, const char *key, gboolean all)
{
  gsize n = 0;
  g_auto (GStrv) names = g_key_file_get_string_list (file, group, key, &n, NULL);

  if (all) {
    g_print ("%s: %" G_GSIZE_FORMAT "\n", key, n);
    for (gsize i = 0; i < n; i++)
      g_print ("  %s\n", names[i]);
    return;
  }
  g_print ("%s=", key);
  for (gsize i = 0; i < MIN (n, NAMES); i++)
    g_print ("%s;", names[i]);
  if (n > NAMES)
    g_print (" and %" G_GSIZE_FORMAT " more (--files names them)", n - NAMES);
  g_print ("\n");
}

/* Prints the material of a run: a group with the names of the files in use, one for each set used before, and one of changes. */
static gboolean
print_material (const char *text, gboolean all)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_auto (GStrv) groups = NULL;

  if (!g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, NULL))
    return FALSE;
  groups = g_key_file_get_groups (file, NULL);
  for (guint g = 0; groups[g]; g++) {
    g_auto (GStrv) keys = g_key_file_get_keys (file, groups[g], NULL, NULL);

    g_print ("[%s]\n", groups[g]);
    for (guint k = 0; keys && keys[k]; k++)
      if (g_str_has_prefix (groups[g], "data")) {
        print_names (file, groups[g], keys[k], all);
      } else {
        g_autofree char *value = g_key_file_get_string (file, groups[g], keys[k], NULL);
        g_print ("%s=%s\n", keys[k], value ? value : "");
      }
  }
  return TRUE;
}

/* The values of a recipe that are not the default. */
static gboolean
print_recipe (const char *text)
{
  g_autofree char *defaults_text = NULL;
  g_autoptr (GKeyFile) file = g_key_file_new (), defaults = g_key_file_new ();
  g_auto (GStrv) groups = NULL;
  RvmRecipe recipe;
  guint same = 0;

  rvm_recipe_init (&recipe);
  defaults_text = rvm_recipe_to_text (&recipe);
  if (!g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, NULL)
      || !g_key_file_load_from_data (defaults, defaults_text, strlen (defaults_text), G_KEY_FILE_NONE, NULL))
    return FALSE;
  groups = g_key_file_get_groups (file, NULL);
  for (guint g = 0; groups[g]; g++) {
    g_auto (GStrv) keys = g_key_file_get_keys (file, groups[g], NULL, NULL);
    guint shown = 0;

    if (strcmp (groups[g], "model") == 0)
      continue; /* printed above */
    for (guint k = 0; keys && keys[k]; k++) {
      g_autofree char *value = g_key_file_get_value (file, groups[g], keys[k], NULL);
      g_autofree char *usual = g_key_file_get_value (defaults, groups[g], keys[k], NULL);

      if (g_strcmp0 (value, usual) == 0)
        same++;
      else
        g_print ("%s%s=%s", shown++ ? " " : "recipe       ", keys[k], value);
    }
    if (shown)
      g_print ("\n");
  }
  g_print ("             %u values are the default (--metadata prints all)\n", same);
  return TRUE;
}

/* Prints a value on one line and cuts it if it is long. */
static void
print_value (const char *key, const char *value)
{
  const char *line_end = strchr (value, '\n');
  const gsize line = line_end ? (gsize) (line_end - value) : strlen (value);
  const gboolean cut = g_utf8_strlen (value, line) > VALUE;
  const gsize shown = cut ? (gsize) (g_utf8_offset_to_pointer (value, VALUE) - value) : line;

  g_print ("%-12s %.*s%s\n", key, (int) shown, value, cut || (line_end && line_end[1]) ? " ... (--metadata prints all)" : "");
}

/* Keys whose values are printed above, or are for programs only. */
static gboolean
is_summed_up (const char *key)
{
  static const char *const keys[] = { "data", "format_version", "hash", "patch", NULL };

  return g_strv_contains (keys, key);
}

static void
print_metadata (GHashTable *metadata, gboolean files, gboolean whole)
{
  g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (metadata), (GCompareFunc) strcmp);
  const char *material = g_hash_table_lookup (metadata, "data");

  for (GList *key = keys; key; key = key->next) {
    const char *value = g_hash_table_lookup (metadata, key->data);

    if (whole)
      g_print ("%-12s %s\n", (const char *) key->data, value);
    else if (!is_summed_up (key->data) && !(strcmp (key->data, "recipe") == 0 && print_recipe (value)))
      print_value (key->data, value);
  }
  if (material && (files || !whole) && !print_material (material, files))
    print_value ("data", material);
}

static void
print_arrays (const RvmWeights *weights, gboolean all)
{
  const guint n = rvm_weights_get_n_arrays (weights);

  if (!all)
    g_print ("%-12s %u (--arrays lists them)\n", "arrays", n);
  for (guint i = 0; all && i < n; i++) {
    const RvmArray *array = rvm_weights_get_array (weights, i);
    g_autofree char *shape = rvm_array_format_shape (array);
    g_print ("  %-4s %-24s %s\n", rvm_array_get_dtype_name (array), shape, array->name);
  }
}

/* A readout (model/readout/info.h) instead of a model. */
static gboolean
is_readout (const RvmWeights *weights)
{
  return g_strcmp0 (g_hash_table_lookup (rvm_weights_get_metadata (weights), "format"), "rvm-readout") == 0;
}

static int
print_readout (const RvmWeights *weights, const char *path, gboolean arrays)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmReadoutInfo) info = rvm_readout_info_from_metadata (rvm_weights_get_metadata (weights), path, &error);
  g_autofree char *text = NULL;

  if (info == NULL)
    return rvm_command_fail (error, 1);
  text = rvm_readout_info_describe (info);
  g_print ("%s: %s, a readout\n%s", path, rvm_weights_get_format (weights), text);
  print_arrays (weights, arrays);
  return 0;
}

int
rvm_command_info (int argc, char **argv)
{
  gboolean files = FALSE, arrays = FALSE, metadata = FALSE;
  const GOptionEntry entries[] = {
    { "files", 0, 0, G_OPTION_ARG_NONE, &files, "name every file that the weights were trained on", NULL },
    { "arrays", 0, 0, G_OPTION_ARG_NONE, &arrays, "list every array with type and shape", NULL },
    { "metadata", 0, 0, G_OPTION_ARG_NONE, &metadata, "print all metadata as they are, the recipe among them", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[FILE] - what a weight file is, by default the bundled one");
  g_autoptr (GError) error = NULL, decoder_error = NULL;
  g_autoptr (RvmWeights) weights = NULL;
  const char *path;
  RvmConfig config;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc > 2) {
    g_printerr ("rvm-cl-train info: expected one FILE, or none\n");
    return 2;
  }
  path = argc == 2 ? argv[1] : rvm_default_model_get_path ();
  weights = rvm_weights_open (path, &error);
  if (weights && is_readout (weights))
    return print_readout (weights, path, arrays);
  /* The rest is described even if the decoder cannot be used. */
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
  print_arrays (weights, arrays);
  print_metadata (rvm_weights_get_metadata (weights), files, metadata);
  return 0;
}
