#include "initialise.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "interrupts.h"
#include "kernels/error.h"

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

static void
scale_values (float *values, guint64 elements, double factor)
{
  for (guint64 i = 0; factor != 1 && i < elements; i++)
    values[i] *= factor;
}

/* Layers of a transformer that add to its tokens. */
static gboolean
is_residual (const RvmArray *array)
{
  return strstr (array->name, "attention/out/") || strstr (array->name, "/mlp/dense_out/");
}

void
rvm_initialise_weigh_position (const RvmArray *array, double scale, float *values)
{
  guint64 elements = 0, bytes;

  if (!g_str_has_prefix (array->name, "tokenizer/patch_embedding/") && strcmp (array->name, "cls_token") != 0
      && !(g_str_has_prefix (array->name, "encoder/layers_") && is_residual (array)))
    return;
  rvm_array_get_size (array, &elements, &bytes);
  scale_values (values, elements, 1 / scale);
}

static const float first_bias = 0.25;

void
rvm_initialise_shift_gate (const float *bias, guint dim, double shift, float *kernel)
{
  double squares = 0;

  for (guint i = 0; i < dim; i++)
    squares += (double) bias[i] * bias[i];
  for (guint i = 0; i < dim; i++)
    for (guint j = 0; j < dim; j++)
      kernel[(gsize) i * dim + j] += shift * bias[i] / squares;
}

/* Random gates are as good as constant: most of an encoder output is the same for all patches of all frames, so each channel of the state
 * is nearly always replaced or nearly never. They have no bias to open them all with, but the encoder's last LayerNorm has one, and without
 * it its outputs sum to 0: a bias of 1/4 on each of them, and as much more in each weight, is one. */
static void
open_core (const RvmArray *array, const RvmRecipe *recipe, guint64 elements, float *values)
{
  if (g_str_has_prefix (array->name, "rnn_core/transformer/xa_blocks_") && is_residual (array))
    scale_values (values, elements, recipe->core_residual);
  if (recipe->update_gate == 0)
    return;
  if (strcmp (array->name, RVM_ENCODER_BIAS) == 0)
    for (guint64 i = 0; i < elements; i++)
      values[i] = first_bias;
  else if (strcmp (array->name, RVM_UPDATE_GATE) == 0) {
    g_autofree float *bias = g_new (float, array->dims[0]);

    for (guint64 i = 0; i < array->dims[0]; i++)
      bias[i] = first_bias;
    rvm_initialise_shift_gate (bias, array->dims[0], recipe->update_gate, values);
  }
}

void
rvm_initialise_array (const RvmArray *array, const RvmRecipe *recipe, float *values)
{
  const guint32 seeds[] = { recipe->seed, recipe->seed >> 32, g_str_hash (array->name) };
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
  open_core (array, recipe, elements, values);
  rvm_initialise_weigh_position (array, recipe->position_scale, values);
}

static gboolean
make_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  if (rvm_interrupts_count ()) {
    rvm_error_set (error, RVM_ERROR_FILE, "stopped; nothing was written");
    return FALSE;
  }
  rvm_initialise_array (array, user_data, values);
  return TRUE;
}

gboolean
rvm_initialise_file (const char *path, const RvmRecipe *recipe, GError **error)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GArray) arrays = rvm_config_list_arrays (&recipe->model, TRUE);

  g_hash_table_insert (metadata, "format_version", g_strdup ("1"));
  g_hash_table_insert (metadata, "origin", g_strdup_printf ("untrained, random values of seed %" G_GUINT64_FORMAT, recipe->seed));
  g_hash_table_insert (metadata, "patch", g_strdup_printf ("%u", recipe->model.patch));
  g_hash_table_insert (metadata, "step", g_strdup ("0"));
  return rvm_weights_save (path, (const RvmArray *) arrays->data, arrays->len, make_values, (gpointer) recipe, metadata, error);
}

/* The file loses its name before the model is loaded, which may take a minute in which the process may be ended. */
RvmModel *
rvm_initialise_model (const RvmConfig *config, const RvmModelOptions *options, gboolean trainable, GError **error)
{
  g_autofree char *folder = NULL, *path = NULL, *open_path = NULL;
  gboolean written = FALSE, named;
  RvmModel *model = NULL;
  RvmRecipe recipe;
  int fd = -1;

  rvm_recipe_init (&recipe);
  recipe.model = *config;
  rvm_interrupts_catch ();
  folder = g_dir_make_tmp ("rvm-random-XXXXXX", error);
  if (folder) {
    path = g_build_filename (folder, "random.safetensors", NULL);
    written = rvm_initialise_file (path, &recipe, error);
    fd = written ? g_open (path, O_RDONLY | O_CLOEXEC, 0) : -1;
    open_path = g_strdup_printf ("/proc/self/fd/%d", fd);
    named = g_access (open_path, R_OK) != 0; /* where there is no /proc it keeps its name for so long */
    if (!named || !written) {
      g_unlink (path);
      g_rmdir (folder);
    }
  }
  rvm_interrupts_deliver ();
  if (!written)
    return NULL;
  model = (trainable ? rvm_model_load_trainable : rvm_model_load) (named ? path : open_path, options, error);
  if (fd >= 0)
    close (fd);
  if (named) {
    g_unlink (path);
    g_rmdir (folder);
  }
  return model;
}
