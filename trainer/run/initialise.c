#include "initialise.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>

#include "kernels/error.h"
#include "program/interrupts.h"

/* Standard normal, by the method of Box and Muller. */
static double
normal (GRand *rand)
{
  return sqrt (-2 * log (1 - g_rand_double (rand))) * cos (2 * G_PI * g_rand_double (rand));
}

static void
scale_values (float *values, guint64 elements, double factor)
{
  for (guint64 i = 0; factor != 1 && i < elements; i++)
    values[i] *= factor;
}

void
rvm_initialise_weigh_position (const RvmArray *array, double scale, float *values)
{
  guint64 elements = 0, bytes;
  RvmSchemaEntry entry;

  if (!rvm_schema_find (array->name, &entry) || (entry.row->part != RVM_PART_TOKENIZER
          && !(entry.row->part == RVM_PART_ENCODER && rvm_schema_is_residual (entry.row))))
    return;
  rvm_array_get_size (array, &elements, &bytes);
  scale_values (values, elements, 1 / scale);
}

const RvmSite rvm_initialise_update_gate = { RVM_PART_CORE, RVM_LAYER_INPUT_UPDATE, 0 };
const RvmSite rvm_initialise_encoder_norm = { RVM_PART_ENCODER, RVM_LAYER_OUTPUT_NORM, 0 };

static gboolean
is_array (const RvmSchemaEntry *entry, RvmSite site, RvmRole role)
{
  return entry->row->part == site.part && entry->row->layer == site.layer && entry->block == site.block && entry->role == role;
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

/* With random weights the gates are nearly constant, since most of an encoder output is the same for all patches of all frames: each channel of the state
 * is replaced nearly always or nearly never. The gates have no bias that would open them all. But the encoder's last LayerNorm has one, and without it
 * its outputs sum to 0. So a bias of 1/4 on each output, together with the same addition to every weight of a gate, acts as a bias of the gate. */
static void
open_core (const RvmSchemaEntry *entry, const RvmArray *array, const RvmRecipe *recipe, guint64 elements, float *values)
{
  if (entry->row->part == RVM_PART_CORE && rvm_schema_is_residual (entry->row))
    scale_values (values, elements, recipe->core_residual);
  if (recipe->update_gate == 0)
    return;
  if (is_array (entry, rvm_initialise_encoder_norm, RVM_ROLE_BIAS))
    for (guint64 i = 0; i < elements; i++)
      values[i] = first_bias;
  else if (is_array (entry, rvm_initialise_update_gate, RVM_ROLE_KERNEL)) {
    g_autofree float *bias = g_new (float, array->dims[0]);

    for (guint64 i = 0; i < array->dims[0]; i++)
      bias[i] = first_bias;
    rvm_initialise_shift_gate (bias, array->dims[0], recipe->update_gate, values);
  }
}

/* The values of an array of any network. */
static void
make_plain (const RvmArray *array, const RvmSchemaEntry *entry, const RvmSchema *schema, guint64 seed, guint64 elements, float *values)
{
  const guint32 seeds[] = { seed, seed >> 32, g_str_hash (array->name) };
  g_autoptr (GRand) rand = g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));

  if (entry->role == RVM_ROLE_KERNEL && entry->row->kind == RVM_KIND_LINEAR_XAVIER) {
    const double limit = sqrt (6.0 / (array->dims[0] + array->dims[1]));
    for (guint64 i = 0; i < elements; i++)
      values[i] = g_rand_double_range (rand, -limit, limit);
  } else if (entry->role == RVM_ROLE_KERNEL) {
    const double deviation = 1 / sqrt (rvm_schema_count_inputs (schema, entry->row));
    for (guint64 i = 0; i < elements; i++)
      values[i] = deviation * normal (rand);
  } else if (entry->role == RVM_ROLE_VALUES) {
    for (guint64 i = 0; i < elements; i++)
      values[i] = 0.02 * normal (rand);
  } else {
    const float value = entry->role == RVM_ROLE_SCALE ? 1 : 0;
    for (guint64 i = 0; i < elements; i++)
      values[i] = value;
  }
}

void
rvm_initialise_array (const RvmArray *array, const RvmRecipe *recipe, float *values)
{
  const RvmSchema schema = rvm_config_get_schema (&recipe->model);
  guint64 elements = 0, bytes;
  RvmSchemaEntry entry;

  g_return_if_fail (rvm_schema_find (array->name, &entry));
  rvm_array_get_size (array, &elements, &bytes);
  make_plain (array, &entry, &schema, recipe->seed, elements, values);
  open_core (&entry, array, recipe, elements, values);
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

typedef struct {
  RvmSchema schema;
  guint64 seed;
} ReadoutStart;

static gboolean
make_readout_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const ReadoutStart *start = user_data;
  guint64 elements = 0, bytes;
  RvmSchemaEntry entry;

  g_return_val_if_fail (rvm_schema_find (array->name, &entry), FALSE);
  rvm_array_get_size (array, &elements, &bytes);
  make_plain (array, &entry, &start->schema, start->seed, elements, values);
  return TRUE;
}

gboolean
rvm_initialise_readout (const char *path, const RvmReadoutInfo *info, const RvmAttentionReadoutConfig *config, guint64 seed, GError **error)
{
  g_autoptr (GHashTable) metadata = rvm_readout_info_to_metadata (info);
  g_autoptr (GArray) arrays = NULL;
  ReadoutStart start = { .seed = seed };

  if (!rvm_attention_readout_validate (config, error))
    return FALSE;
  start.schema = rvm_attention_readout_get_schema (config);
  arrays = rvm_attention_readout_list_arrays (config);
  return rvm_weights_save (path, (const RvmArray *) arrays->data, arrays->len, make_readout_values, &start, metadata, error);
}

/* The file is unlinked before the model is loaded, so that none is left if the process is ended meanwhile, which may take a minute. */
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
    named = g_access (open_path, R_OK) != 0; /* without /proc it is unlinked after loading */
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
