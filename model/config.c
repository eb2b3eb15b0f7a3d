/* Sizes of models: the published ones, the check whether sizes can work, and how they are derived from a weight file. */
#include "config.h"

#include <string.h>

static const char *const names[] = { "tiny", "small16", "base16", "large16", "huge16", NULL };

/* The published sizes, and the tests' tiny one. */
static const RvmConfig configs[] = {
  { 16, { 48, 2, 3, 112 }, { 48, 2, 2, 80 }, { 40, 2, 5, 72 }, 64 },
  { 16, { 384, 12, 6, 1536 }, { 384, 4, 8, 2048 }, { 512, 8, 16, 2048 }, 64 },
  { 16, { 768, 12, 12, 3072 }, { 768, 4, 12, 3072 }, { 512, 8, 16, 2048 }, 64 },
  { 16, { 1024, 24, 16, 4096 }, { 1024, 4, 16, 4096 }, { 512, 8, 16, 2048 }, 64 },
  { 16, { 1280, 32, 16, 5120 }, { 1280, 4, 16, 5120 }, { 512, 8, 16, 2048 }, 64 },
};

/* Far beyond any sensible model, small enough that no product of two overflows 32 bits. */
#define MAX_WIDTH 32768
#define MAX_LAYERS 1024
#define MAX_PATCH 128
#define MAX_DELTAS 4096
/* The attention kernels keep the queries, scores and sums of a head in private memory. */
#define MAX_HEAD_DIM 512

const RvmConfig *
rvm_config_find (const char *name)
{
  for (guint i = 0; names[i]; i++)
    if (strcmp (names[i], name) == 0)
      return &configs[i];
  return NULL;
}

const char *const *
rvm_config_list_names (void)
{
  return names;
}

static gboolean
check_range (const char *part, const char *what, guint value, guint limit, GError **error)
{
  if (value >= 1 && value <= limit)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s %s is %u, expected 1 to %u", part, what, value, limit);
  return FALSE;
}

static gboolean
validate_transformer (const RvmTransformerConfig *config, const char *part, GError **error)
{
  if (!check_range (part, "width", config->dim, MAX_WIDTH, error) || !check_range (part, "layers", config->layers, MAX_LAYERS, error)
      || !check_range (part, "heads", config->heads, MAX_WIDTH, error) || !check_range (part, "MLP width", config->mlp, MAX_WIDTH, error))
    return FALSE;
  if (config->dim % config->heads != 0 || config->dim / config->heads > MAX_HEAD_DIM) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s heads: %u do not divide a width of %u into heads of at most %d", part,
        config->heads, config->dim, MAX_HEAD_DIM);
    return FALSE;
  }
  return TRUE;
}

gboolean
rvm_config_validate (const RvmConfig *config, GError **error)
{
  if (!check_range ("patch", "size", config->patch, MAX_PATCH, error) || !validate_transformer (&config->encoder, "encoder", error)
      || !validate_transformer (&config->core, "core", error))
    return FALSE;
  if (config->core.dim != config->encoder.dim) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "core width is %u, expected the encoder's, %u", config->core.dim, config->encoder.dim);
    return FALSE;
  }
  return config->decoder.layers == 0
      || (validate_transformer (&config->decoder, "decoder", error)
          && check_range ("decoder", "frame gaps", config->deltas, MAX_DELTAS, error));
}

static void
set_transformer (RvmSchema *schema, RvmPart part, const RvmTransformerConfig *config)
{
  schema->sizes[part][RVM_SIZE_DIM] = config->dim;
  schema->sizes[part][RVM_SIZE_HEADS] = config->heads;
  schema->sizes[part][RVM_SIZE_MLP] = config->mlp;
  schema->blocks[part] = config->layers;
}

RvmSchema
rvm_config_get_schema (const RvmConfig *config)
{
  RvmSchema schema = { 0 };

  for (guint part = 0; part < RVM_N_PARTS; part++)
    schema.sizes[part][RVM_SIZE_PATCH] = config->patch;
  schema.sizes[RVM_PART_TOKENIZER][RVM_SIZE_DIM] = config->encoder.dim;
  set_transformer (&schema, RVM_PART_ENCODER, &config->encoder);
  set_transformer (&schema, RVM_PART_CORE, &config->core);
  set_transformer (&schema, RVM_PART_DECODER, &config->decoder);
  schema.sizes[RVM_PART_DECODER][RVM_SIZE_INPUT] = config->encoder.dim;
  schema.sizes[RVM_PART_DECODER][RVM_SIZE_GAPS] = config->deltas;
  rvm_schema_complete (&schema);
  return schema;
}

GArray *
rvm_config_list_arrays (const RvmConfig *config, gboolean with_decoder)
{
  const RvmSchema schema = rvm_config_get_schema (config);

  return rvm_schema_list_arrays (&schema, RVM_PART_TOKENIZER, with_decoder && config->decoder.layers ? RVM_PART_DECODER : RVM_PART_CORE);
}

guint64
rvm_config_count_parameters (const RvmConfig *config, gboolean with_decoder)
{
  g_autoptr (GArray) arrays = rvm_config_list_arrays (config, with_decoder);
  guint64 total = 0;

  for (guint i = 0; i < arrays->len; i++) {
    guint64 elements = 0, bytes;
    rvm_array_get_size (&g_array_index (arrays, RvmArray, i), &elements, &bytes);
    total += elements;
  }
  return total;
}

/* How many dimensions an array of a layer has, and which of them is the first that is @size. */
static guint
find_axis (const RvmLayerRow *row, RvmRole role, RvmSize size, guint *axis)
{
  const gboolean has_inputs = role == RVM_ROLE_KERNEL || role == RVM_ROLE_VALUES;
  guint n = 0;
  gboolean found = FALSE;

  for (guint i = has_inputs ? 0 : RVM_MOST_INPUTS; i < RVM_MOST_INPUTS + RVM_MOST_OUTPUTS; i++) {
    const guint8 one = i < RVM_MOST_INPUTS ? row->inputs[i] : row->outputs[i - RVM_MOST_INPUTS];

    if (one == size && !found) {
      *axis = n;
      found = TRUE;
    }
    n += one != RVM_SIZE_NONE;
  }
  return n;
}

guint
rvm_config_read_size (const RvmWeights *weights, RvmSite site, RvmRole role, RvmSize size, GError **error)
{
  g_autofree char *name = rvm_schema_format_name (site, role);
  const RvmArray *array = rvm_weights_find (weights, name);
  guint axis = 0;
  const guint n_dims = find_axis (rvm_schema_get_row (site), role, size, &axis);

  if (array == NULL) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' is missing", rvm_weights_get_path (weights), name);
    return 0;
  }
  if (!rvm_weights_check (weights, array, NULL, error))
    return 0;
  if (array->n_dims != n_dims || array->dims[axis] == 0 || array->dims[axis] > G_MAXUINT16) {
    g_autofree char *shape = rvm_array_format_shape (array);
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' has shape %s, expected %u dimensions of 1 to %u",
        rvm_weights_get_path (weights), name, shape, n_dims, G_MAXUINT16);
    return 0;
  }
  return array->dims[axis];
}

/* The same for the kernel of a layer, of the first block if the layer is in blocks. */
static guint
get_size (const RvmWeights *weights, RvmPart part, RvmLayer layer, RvmSize size, GError **error)
{
  return rvm_config_read_size (weights, (RvmSite){ part, layer, 0 }, RVM_ROLE_KERNEL, size, error);
}

/* The number of the block of @part to which the array @name belongs; -1 if it belongs to none. */
static gint64
get_block (const char *name, RvmPart part)
{
  RvmSchemaEntry entry;

  return rvm_schema_find (name, &entry) && entry.row->part == part && rvm_schema_is_in_block (entry.row) ? (gint64) entry.block : -1;
}

/* How many blocks @part has. Blocks are numbered from 0. A gap in the numbers is an error, because a layer is missing then. */
static gboolean
count_blocks (const RvmWeights *weights, RvmPart part, guint *count, GError **error)
{
  g_autoptr (GHashTable) found = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const gint64 block = get_block (rvm_weights_get_array (weights, i)->name, part);

    if (block >= 0)
      g_hash_table_add (found, GUINT_TO_POINTER ((guint) block + 1));
  }
  for (*count = 0; g_hash_table_contains (found, GUINT_TO_POINTER (*count + 1));)
    ++*count;
  for (guint i = 0; *count < g_hash_table_size (found) && i < rvm_weights_get_n_arrays (weights); i++) {
    const char *name = rvm_weights_get_array (weights, i)->name;

    if (get_block (name, part) > (gint64) *count) {
      rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' belongs to no layer: a layer before it is missing",
          rvm_weights_get_path (weights), name);
      return FALSE;
    }
  }
  return TRUE;
}

/* Sizes of the blocks of @part. */
static gboolean
derive_transformer (RvmTransformerConfig *config, const RvmWeights *weights, RvmPart part, GError **error)
{
  guint head_dim;

  config->dim = get_size (weights, part, RVM_LAYER_SELF_QUERY, RVM_SIZE_DIM, error);
  config->heads = config->dim ? get_size (weights, part, RVM_LAYER_SELF_QUERY, RVM_SIZE_HEADS, error) : 0;
  head_dim = config->heads ? get_size (weights, part, RVM_LAYER_SELF_QUERY, RVM_SIZE_HEAD_DIM, error) : 0;
  config->mlp = head_dim ? get_size (weights, part, RVM_LAYER_MLP_IN, RVM_SIZE_MLP, error) : 0;
  if (config->mlp == 0)
    return FALSE;
  if ((guint64) config->heads * head_dim != config->dim) {
    g_autofree char *query = rvm_schema_format_name ((RvmSite){ part, RVM_LAYER_SELF_QUERY, 0 }, RVM_ROLE_KERNEL);
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s': %u heads of %u do not make up the width, %u",
        rvm_weights_get_path (weights), query, config->heads, head_dim, config->dim);
    return FALSE;
  }
  return count_blocks (weights, part, &config->layers, error);
}

gboolean
rvm_config_check_arrays (const GArray *arrays, const RvmWeights *weights, GError **error)
{
  for (guint i = 0; i < arrays->len; i++) {
    const RvmArray *expected = &g_array_index (arrays, RvmArray, i);
    const RvmArray *found = rvm_weights_find (weights, expected->name);

    if (found == NULL) {
      rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' is missing", rvm_weights_get_path (weights), expected->name);
      return FALSE;
    }
    if (!rvm_weights_check (weights, found, expected, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
derive_decoder (RvmConfig *config, const RvmWeights *weights, GError **error)
{
  guint blocks;

  if (!count_blocks (weights, RVM_PART_DECODER, &blocks, error))
    return FALSE;
  if (blocks == 0)
    return TRUE;
  if (!derive_transformer (&config->decoder, weights, RVM_PART_DECODER, error))
    return FALSE;
  config->deltas = get_size (weights, RVM_PART_DECODER, RVM_LAYER_GAP_EMBED, RVM_SIZE_GAPS, error);
  return config->deltas != 0;
}

gboolean
rvm_config_from_weights (RvmConfig *config, const RvmWeights *weights, gboolean with_decoder, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GArray) arrays = NULL;

  memset (config, 0, sizeof *config);
  if (!derive_transformer (&config->encoder, weights, RVM_PART_ENCODER, error)
      || !derive_transformer (&config->core, weights, RVM_PART_CORE, error))
    return FALSE;
  config->patch = get_size (weights, RVM_PART_TOKENIZER, RVM_LAYER_PATCH_EMBEDDING, RVM_SIZE_PATCH, error);
  if (config->patch == 0 || (with_decoder && !derive_decoder (config, weights, error)))
    return FALSE;
  if (!rvm_config_validate (config, &reason)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: %s", rvm_weights_get_path (weights), reason->message);
    return FALSE;
  }
  arrays = rvm_config_list_arrays (config, TRUE);
  return rvm_config_check_arrays (arrays, weights, error);
}

GPtrArray *
rvm_config_list_others (const RvmConfig *config, const RvmWeights *weights)
{
  g_autoptr (GArray) arrays = rvm_config_list_arrays (config, TRUE);
  g_autoptr (GHashTable) needed = g_hash_table_new (g_str_hash, g_str_equal);
  GPtrArray *others = g_ptr_array_new ();

  for (guint i = 0; i < arrays->len; i++)
    g_hash_table_add (needed, g_array_index (arrays, RvmArray, i).name);
  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const RvmArray *array = rvm_weights_get_array (weights, i);

    if (!g_hash_table_contains (needed, array->name))
      g_ptr_array_add (others, (gpointer) array);
  }
  return others;
}
