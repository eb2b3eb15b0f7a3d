/* The arrays of a model, described once: for checking files, for making new ones, and for counting. */
#include "config.h"

#include <stdarg.h>
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
/* One head's queries, scores and sums are private memory of a kernel. */
#define MAX_HEAD_DIM 512

#define DECODER_BLOCKS "decoder/xa_blocks_"

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

/* Appends an array named by prefix and suffix, with dimensions up to a 0. */
static void
add (GArray *arrays, const char *prefix, const char *suffix, ...)
{
  RvmArray array = { .name = g_strconcat (prefix, suffix, NULL), .dtype = RVM_DTYPE_F32 };
  va_list args;
  guint dim;

  va_start (args, suffix);
  while ((dim = va_arg (args, guint)) != 0)
    array.dims[array.n_dims++] = dim;
  va_end (args);
  g_array_append_val (arrays, array);
}

static void
add_norm (GArray *arrays, const char *key, guint dim)
{
  add (arrays, key, "/scale", dim, 0);
  add (arrays, key, "/bias", dim, 0);
}

static void
add_dense (GArray *arrays, const char *key, guint in, guint out)
{
  add (arrays, key, "/kernel", in, out, 0);
  add (arrays, key, "/bias", out, 0);
}

static void
add_attention (GArray *arrays, const char *block, const char *name, guint dim, guint heads)
{
  static const char *const parts[] = { "query", "key", "value" };
  g_autofree char *norm = g_strconcat (block, "/", name, "_norm", NULL), *out = g_strconcat (block, "/", name, "/out", NULL);

  add_norm (arrays, norm, dim);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *key = g_strconcat (block, "/", name, "/", parts[i], NULL);
    add (arrays, key, "/kernel", dim, heads, dim / heads, 0);
    add (arrays, key, "/bias", heads, dim / heads, 0);
  }
  add (arrays, out, "/kernel", heads, dim / heads, dim, 0);
  add (arrays, out, "/bias", dim, 0);
}

static void
add_mlp (GArray *arrays, const char *block, guint dim, guint hidden)
{
  g_autofree char *norm = g_strconcat (block, "/mlp_norm", NULL);
  g_autofree char *in = g_strconcat (block, "/mlp/dense_in", NULL), *out = g_strconcat (block, "/mlp/dense_out", NULL);

  add_norm (arrays, norm, dim);
  add_dense (arrays, in, dim, hidden);
  add_dense (arrays, out, hidden, dim);
}

static void
add_cross_transformer (GArray *arrays, const char *key, const RvmTransformerConfig *config)
{
  g_autofree char *norm = g_strconcat (key, "/output_norm", NULL);

  for (guint i = 0; i < config->layers; i++) {
    g_autofree char *block = g_strdup_printf ("%s/xa_blocks_%u", key, i);
    add_attention (arrays, block, "ca_attention", config->dim, config->heads);
    add_mlp (arrays, block, config->dim, config->mlp);
    add_attention (arrays, block, "attention", config->dim, config->heads);
  }
  add_norm (arrays, norm, config->dim);
}

GArray *
rvm_config_list_arrays (const RvmConfig *config, gboolean with_decoder)
{
  static const char *const gates[] = { "input_update", "input_reset", "state_update", "state_reset" };
  GArray *arrays = g_array_new (FALSE, TRUE, sizeof (RvmArray));
  const guint dim = config->encoder.dim, patch = config->patch;

  g_array_set_clear_func (arrays, (GDestroyNotify) rvm_array_clear);
  add (arrays, "tokenizer/patch_embedding/Conv_0", "/kernel", 1, patch, patch, 3, dim, 0);
  add (arrays, "tokenizer/patch_embedding/Conv_0", "/bias", dim, 0);
  add (arrays, "cls_token", "", 1, dim, 0);
  for (guint i = 0; i < config->encoder.layers; i++) {
    g_autofree char *block = g_strdup_printf ("encoder/layers_%u", i);
    add_attention (arrays, block, "attention", dim, config->encoder.heads);
    add_mlp (arrays, block, dim, config->encoder.mlp);
  }
  add_norm (arrays, "encoder/LayerNorm_0", dim);
  for (guint i = 0; i < G_N_ELEMENTS (gates); i++) {
    g_autofree char *key = g_strconcat ("rnn_core/", gates[i], NULL);
    add (arrays, key, "/kernel", dim, dim, 0);
  }
  add (arrays, "rnn_core/state_layer_norm/scale", "", dim, 0);
  add_cross_transformer (arrays, "rnn_core/transformer", &config->core);
  if (with_decoder && config->decoder.layers) {
    add_dense (arrays, "decoder_embedder", dim, config->decoder.dim);
    add_dense (arrays, "delta_embedder", config->deltas, config->decoder.dim);
    add (arrays, "mask_token", "", 1, config->decoder.dim, 0);
    add_cross_transformer (arrays, "decoder", &config->decoder);
    add_dense (arrays, "detokenizer/Dense_0", config->decoder.dim, patch * patch * 3);
  }
  return arrays;
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

/* Size @axis of array @name, which must have @n_dims dimensions; 0 with @error set if that cannot be. */
static guint
get_dim (const RvmWeights *weights, const char *name, guint n_dims, guint axis, GError **error)
{
  const RvmArray *array = rvm_weights_find (weights, name);

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

/* The names of the arrays of a block, after "BLOCKS0": "/attention_norm/scale". */
static GHashTable *
list_block_names (gboolean is_cross)
{
  g_autoptr (GArray) arrays = g_array_new (FALSE, TRUE, sizeof (RvmArray));
  GHashTable *names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (is_cross)
    add_attention (arrays, "", "ca_attention", 1, 1);
  add_attention (arrays, "", "attention", 1, 1);
  add_mlp (arrays, "", 1, 1);
  for (guint i = 0; i < arrays->len; i++)
    g_hash_table_add (names, g_array_index (arrays, RvmArray, i).name);
  return names;
}

/* The number of the block that @name is an array of; -1 if it is none of those in @block_names. */
static gint64
get_block (const char *name, const char *blocks, GHashTable *block_names)
{
  const gsize length = strlen (blocks), digits = g_str_has_prefix (name, blocks) ? strspn (name + length, "0123456789") : 0;

  if (digits == 0 || digits > 9 || (digits > 1 && name[length] == '0') || !g_hash_table_contains (block_names, name + length + digits))
    return -1;
  return g_ascii_strtoll (name + length, NULL, 10);
}

/* How many blocks there are, named BLOCKS0, BLOCKS1, ...; an array of one beyond a hole in the numbering is an error, as a layer is missing
 * then. Arrays that no block has do not count. */
static gboolean
count_blocks (const RvmWeights *weights, const char *blocks, gboolean is_cross, guint *count, GError **error)
{
  g_autoptr (GHashTable) block_names = list_block_names (is_cross), found = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const gint64 block = get_block (rvm_weights_get_array (weights, i)->name, blocks, block_names);

    if (block >= 0)
      g_hash_table_add (found, GUINT_TO_POINTER ((guint) block + 1));
  }
  for (*count = 0; g_hash_table_contains (found, GUINT_TO_POINTER (*count + 1));)
    ++*count;
  for (guint i = 0; *count < g_hash_table_size (found) && i < rvm_weights_get_n_arrays (weights); i++) {
    const char *name = rvm_weights_get_array (weights, i)->name;

    if (get_block (name, blocks, block_names) > (gint64) *count) {
      rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' belongs to no layer: a layer before it is missing",
          rvm_weights_get_path (weights), name);
      return FALSE;
    }
  }
  return TRUE;
}

/* Sizes of the transformer whose blocks are named BLOCKS0, BLOCKS1, ... */
static gboolean
derive_transformer (RvmTransformerConfig *config, const RvmWeights *weights, const char *blocks, gboolean is_cross, GError **error)
{
  g_autofree char *query = g_strconcat (blocks, "0/attention/query/kernel", NULL);
  g_autofree char *dense = g_strconcat (blocks, "0/mlp/dense_in/kernel", NULL);
  guint head_dim;

  config->dim = get_dim (weights, query, 3, 0, error);
  config->heads = config->dim ? get_dim (weights, query, 3, 1, error) : 0;
  head_dim = config->heads ? get_dim (weights, query, 3, 2, error) : 0;
  config->mlp = head_dim ? get_dim (weights, dense, 2, 1, error) : 0;
  if (config->mlp == 0)
    return FALSE;
  if ((guint64) config->heads * head_dim != config->dim) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s': %u heads of %u do not make up the width, %u",
        rvm_weights_get_path (weights), query, config->heads, head_dim, config->dim);
    return FALSE;
  }
  return count_blocks (weights, blocks, is_cross, &config->layers, error);
}

/* Every array of @config is in @weights, can be read and has its shape. */
static gboolean
check_arrays (const RvmConfig *config, const RvmWeights *weights, GError **error)
{
  g_autoptr (GArray) arrays = rvm_config_list_arrays (config, TRUE);

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

  if (!count_blocks (weights, DECODER_BLOCKS, TRUE, &blocks, error))
    return FALSE;
  if (blocks == 0)
    return TRUE;
  if (!derive_transformer (&config->decoder, weights, DECODER_BLOCKS, TRUE, error))
    return FALSE;
  config->deltas = get_dim (weights, "delta_embedder/kernel", 2, 0, error);
  return config->deltas != 0;
}

gboolean
rvm_config_from_weights (RvmConfig *config, const RvmWeights *weights, gboolean with_decoder, GError **error)
{
  g_autoptr (GError) reason = NULL;

  memset (config, 0, sizeof *config);
  if (!derive_transformer (&config->encoder, weights, "encoder/layers_", FALSE, error)
      || !derive_transformer (&config->core, weights, "rnn_core/transformer/xa_blocks_", TRUE, error))
    return FALSE;
  config->patch = get_dim (weights, "tokenizer/patch_embedding/Conv_0/kernel", 5, 1, error);
  if (config->patch == 0 || (with_decoder && !derive_decoder (config, weights, error)))
    return FALSE;
  if (!rvm_config_validate (config, &reason)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: %s", rvm_weights_get_path (weights), reason->message);
    return FALSE;
  }
  return check_arrays (config, weights, error);
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
