#include "initialise.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* Standard normal by Box and Muller. */
static double
normal (GRand *rand)
{
  return sqrt (-2 * log (1 - g_rand_double (rand))) * cos (2 * G_PI * g_rand_double (rand));
}

/* Inputs of one output of a kernel: all axes but the output's, which for query, key and value are the last two. */
static guint64
fan_in (const RvmArray *array)
{
  const gboolean split_heads = array->n_dims == 3 && !g_str_has_suffix (array->name, "/out/kernel");
  guint64 product = 1;

  for (guint i = 0; i + (split_heads ? 2 : 1) < array->n_dims; i++)
    product *= array->dims[i];
  return product;
}

void
rvm_initialise_array (const RvmArray *array, guint64 seed, float *values)
{
  const guint32 seeds[] = { seed, seed >> 32, g_str_hash (array->name) };
  g_autoptr (GRand) rand = g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));
  guint64 elements = 0, bytes;

  rvm_array_get_size (array, &elements, &bytes);
  if (g_str_has_suffix (array->name, "/kernel") && strstr (array->name, "/mlp/")) {
    const double limit = sqrt (6.0 / (array->dims[0] + array->dims[1]));
    for (guint64 i = 0; i < elements; i++)
      values[i] = g_rand_double_range (rand, -limit, limit);
  } else if (g_str_has_suffix (array->name, "/kernel")) {
    const double deviation = 1 / sqrt (fan_in (array));
    for (guint64 i = 0; i < elements; i++)
      values[i] = deviation * normal (rand);
  } else if (g_str_has_suffix (array->name, "_token")) {
    for (guint64 i = 0; i < elements; i++)
      values[i] = 0.02 * normal (rand);
  } else {
    const float value = g_str_has_suffix (array->name, "/scale") ? 1 : 0;
    for (guint64 i = 0; i < elements; i++)
      values[i] = value;
  }
}

static gboolean
make_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  rvm_initialise_array (array, *(const gint64 *) user_data, values);
  return TRUE;
}

gboolean
rvm_initialise_file (const char *path, const RvmConfig *config, gint64 seed, GError **error)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GArray) arrays = rvm_config_list_arrays (config, TRUE);

  g_hash_table_insert (metadata, "format_version", g_strdup ("1"));
  g_hash_table_insert (metadata, "origin", g_strdup_printf ("untrained, random values of seed %" G_GINT64_FORMAT, seed));
  g_hash_table_insert (metadata, "patch", g_strdup_printf ("%u", config->patch));
  g_hash_table_insert (metadata, "step", g_strdup ("0"));
  return rvm_weights_save (path, (const RvmArray *) arrays->data, arrays->len, make_values, &seed, metadata, error);
}

RvmModel *
rvm_initialise_model (const RvmConfig *config, const RvmModelOptions *options, gboolean trainable, GError **error)
{
  g_autofree char *folder = g_dir_make_tmp ("rvm-random-XXXXXX", error);
  g_autofree char *path = folder ? g_build_filename (folder, "random.safetensors", NULL) : NULL;
  RvmModel *model = NULL;

  if (path && rvm_initialise_file (path, config, 0, error))
    model = trainable ? rvm_model_load_trainable (path, options, error) : rvm_model_load (path, options, error);
  if (path) {
    g_unlink (path);
    g_rmdir (folder);
  }
  return model;
}
