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
const RvmSite rvm_initialise_update_gate_state = { RVM_PART_CORE, RVM_LAYER_STATE_UPDATE, 0 };
const RvmSite rvm_initialise_encoder_norm = { RVM_PART_ENCODER, RVM_LAYER_OUTPUT_NORM, 0 };

static gboolean
is_array (const RvmSchemaEntry *entry, RvmSite site, RvmRole role)
{
  return entry->row->part == site.part && entry->row->layer == site.layer && entry->block == site.block && entry->role == role;
}

static const float first_bias = 0.25;

/* The gates have no bias. But the encoder's last LayerNorm has one, and what it normalises sums to 0: the sum of its outputs, each divided by its scale,
 * is that of bias / scale, whatever the input. */
gboolean
rvm_initialise_shift_gate (const float *scale, const float *bias, guint dim, double shift, float *kernel)
{
  double sum = 0;

  for (guint i = 0; i < dim; i++) {
    if (scale[i] == 0)
      return FALSE;
    sum += (double) bias[i] / scale[i];
  }
  if (sum == 0)
    return FALSE;
  for (guint i = 0; i < dim; i++)
    for (guint j = 0; j < dim; j++)
      kernel[(gsize) i * dim + j] += shift / scale[i] / sum;
  return TRUE;
}

/* (transfer full): a vector of the encoder's last layer norm. */
static float *
read_norm (RvmWeights *weights, guint dim, RvmRole role, char **name, GError **error)
{
  g_autofree float *values = g_new (float, dim);

  *name = rvm_schema_format_name (rvm_initialise_encoder_norm, role);
  return rvm_weights_read (weights, rvm_weights_find (weights, *name), values, error) ? g_steal_pointer (&values) : NULL;
}

gboolean
rvm_initialise_shift_gate_of (RvmWeights *weights, guint dim, double shift, float *kernel, GError **error)
{
  g_autofree char *scale_name = NULL, *bias_name = NULL;
  g_autofree float *scale = read_norm (weights, dim, RVM_ROLE_SCALE, &scale_name, error);
  g_autofree float *bias = scale ? read_norm (weights, dim, RVM_ROLE_BIAS, &bias_name, error) : NULL;

  if (bias == NULL)
    return FALSE;
  if (rvm_initialise_shift_gate (scale, bias, dim, shift, kernel))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "in the given weights, a value of %s is 0, or the values of %s divided by them sum to 0: expected others, as in "
      "weights that were trained", scale_name, bias_name);
  return FALSE;
}

/* With random weights the gates are nearly constant, since most of an encoder output is the same for all patches of all frames: each channel of the state
 * is replaced nearly always or nearly never. A bias of 1/4 on each output of the encoder lets the gate be shifted. */
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
    const guint dim = array->dims[0];
    g_autofree float *scale = g_new (float, dim), *bias = g_new (float, dim);

    for (guint i = 0; i < dim; i++) {
      scale[i] = 1;
      bias[i] = first_bias;
    }
    rvm_initialise_shift_gate (scale, bias, dim, recipe->update_gate, values);
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

/* A file of random values that is read once. It is unlinked before that, so that none is left if the process is ended while a model is loaded, which may
 * take a minute; without /proc it is unlinked afterwards. */
typedef struct {
  char *folder, *path, *open_path;
  int fd;
  gboolean named; /* not unlinked yet */
} RandomFile;

static void
random_file_unlink (RandomFile *file)
{
  g_unlink (file->path);
  g_rmdir (file->folder);
  file->named = FALSE;
}

static void
random_file_clear (RandomFile *file)
{
  if (file->named)
    random_file_unlink (file);
  if (file->fd >= 0)
    close (file->fd);
  g_free (file->folder);
  g_free (file->path);
  g_free (file->open_path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RandomFile, random_file_clear)

static gboolean
random_file_make (RandomFile *file, gboolean (*write) (const char *path, gpointer user_data, GError **error), gpointer user_data, GError **error)
{
  *file = (RandomFile){ .fd = -1, .folder = g_dir_make_tmp ("rvm-random-XXXXXX", error) };
  if (file->folder == NULL) {
    g_prefix_error (error, "a temporary file for random weights: ");
    return FALSE;
  }
  file->named = TRUE;
  file->path = g_build_filename (file->folder, "random.safetensors", NULL);
  if (!write (file->path, user_data, error)) {
    random_file_unlink (file);
    return FALSE;
  }
  file->fd = g_open (file->path, O_RDONLY | O_CLOEXEC, 0);
  file->open_path = g_strdup_printf ("/proc/self/fd/%d", file->fd);
  if (g_access (file->open_path, R_OK) == 0)
    random_file_unlink (file);
  return TRUE;
}

static const char *
random_file_get_path (const RandomFile *file)
{
  return file->named ? file->path : file->open_path;
}

static gboolean
write_model (const char *path, gpointer recipe, GError **error)
{
  return rvm_initialise_file (path, recipe, error);
}

RvmModel *
rvm_initialise_model (const RvmConfig *config, const RvmModelOptions *options, gboolean trainable, GError **error)
{
  g_auto (RandomFile) file = { .fd = -1 };
  gboolean made;
  RvmRecipe recipe;

  rvm_recipe_init (&recipe);
  recipe.model = *config;
  rvm_interrupts_catch ();
  made = random_file_make (&file, write_model, &recipe, error);
  rvm_interrupts_deliver (); /* a signal that came meanwhile ends the process: no file has a name now */
  return made ? (trainable ? rvm_model_load_trainable : rvm_model_load) (random_file_get_path (&file), options, error) : NULL;
}

typedef struct {
  const RvmReadoutInfo *info;
  const RvmAttentionReadoutConfig *config;
  guint64 seed;
} ReadoutSource;

static gboolean
write_readout (const char *path, gpointer user_data, GError **error)
{
  const ReadoutSource *source = user_data;

  return rvm_initialise_readout (path, source->info, source->config, source->seed, error);
}

RvmReadout *
rvm_initialise_trainable_readout (const RvmReadoutInfo *info, const RvmAttentionReadoutConfig *config, guint64 seed, RvmDevice *device, GError **error)
{
  ReadoutSource source = { info, config, seed };
  g_auto (RandomFile) file = { .fd = -1 };

  return random_file_make (&file, write_readout, &source, error) ? rvm_readout_load_trainable (random_file_get_path (&file), device, RVM_GEMM_AUTO, error)
                                                                 : NULL;
}
