/* The table of layers, and what follows from it. Arrays are listed, and so stored, in the order of the table. */
#include "schema.h"

#include <string.h>

#define ATTENTION(part, key, norm, query, key_, value, out) \
  { part, norm, key "_norm", RVM_KIND_NORM, .outputs = { RVM_SIZE_DIM } }, \
  { part, query, key "/query", RVM_KIND_LINEAR, { RVM_SIZE_DIM }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } }, \
  { part, key_, key "/key", RVM_KIND_LINEAR, { RVM_SIZE_DIM }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } }, \
  { part, value, key "/value", RVM_KIND_LINEAR, { RVM_SIZE_DIM }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } }, \
  { part, out, key "/out", RVM_KIND_LINEAR, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM }, { RVM_SIZE_DIM } }

#define SELF_ATTENTION(part, block) \
  ATTENTION (part, block "/attention", RVM_LAYER_SELF_NORM, RVM_LAYER_SELF_QUERY, RVM_LAYER_SELF_KEY, RVM_LAYER_SELF_VALUE, RVM_LAYER_SELF_OUT)

#define CROSS_ATTENTION(part, block) \
  ATTENTION (part, block "/ca_attention", RVM_LAYER_CROSS_NORM, RVM_LAYER_CROSS_QUERY, RVM_LAYER_CROSS_KEY, RVM_LAYER_CROSS_VALUE, \
      RVM_LAYER_CROSS_OUT)

#define MLP(part, block) \
  { part, RVM_LAYER_MLP_NORM, block "/mlp_norm", RVM_KIND_NORM, .outputs = { RVM_SIZE_DIM } }, \
  { part, RVM_LAYER_MLP_IN, block "/mlp/dense_in", RVM_KIND_LINEAR_XAVIER, { RVM_SIZE_DIM }, { RVM_SIZE_MLP } }, \
  { part, RVM_LAYER_MLP_OUT, block "/mlp/dense_out", RVM_KIND_LINEAR_XAVIER, { RVM_SIZE_MLP }, { RVM_SIZE_DIM } }

/* The stack of net/cross_transformer.h. */
#define CROSS_TRANSFORMER(part, key) \
  CROSS_ATTENTION (part, key "/xa_blocks_%u"), \
  MLP (part, key "/xa_blocks_%u"), \
  SELF_ATTENTION (part, key "/xa_blocks_%u"), \
  { part, RVM_LAYER_OUTPUT_NORM, key "/output_norm", RVM_KIND_NORM, .outputs = { RVM_SIZE_DIM } }

#define GATE(layer, key) { RVM_PART_CORE, layer, "rnn_core/" key, RVM_KIND_KERNEL, { RVM_SIZE_DIM }, { RVM_SIZE_DIM } }

/* The rows of the blocks of a part follow each other. */
static const RvmLayerRow rows[] = {
  { RVM_PART_TOKENIZER, RVM_LAYER_PATCH_EMBEDDING, "tokenizer/patch_embedding/Conv_0", RVM_KIND_LINEAR,
      { RVM_SIZE_ONE, RVM_SIZE_PATCH, RVM_SIZE_PATCH, RVM_SIZE_COLOURS }, { RVM_SIZE_DIM } },
  { RVM_PART_TOKENIZER, RVM_LAYER_CLASS_TOKEN, "cls_token", RVM_KIND_VALUES, { RVM_SIZE_ONE }, { RVM_SIZE_DIM } },

  SELF_ATTENTION (RVM_PART_ENCODER, "encoder/layers_%u"),
  MLP (RVM_PART_ENCODER, "encoder/layers_%u"),
  { RVM_PART_ENCODER, RVM_LAYER_OUTPUT_NORM, "encoder/LayerNorm_0", RVM_KIND_NORM, .outputs = { RVM_SIZE_DIM } },

  GATE (RVM_LAYER_INPUT_UPDATE, "input_update"),
  GATE (RVM_LAYER_INPUT_RESET, "input_reset"),
  GATE (RVM_LAYER_STATE_UPDATE, "state_update"),
  GATE (RVM_LAYER_STATE_RESET, "state_reset"),
  { RVM_PART_CORE, RVM_LAYER_STATE_NORM, "rnn_core/state_layer_norm", RVM_KIND_SCALE, .outputs = { RVM_SIZE_DIM } },
  CROSS_TRANSFORMER (RVM_PART_CORE, "rnn_core/transformer"),

  { RVM_PART_DECODER, RVM_LAYER_DECODER_EMBED, "decoder_embedder", RVM_KIND_LINEAR, { RVM_SIZE_INPUT }, { RVM_SIZE_DIM } },
  { RVM_PART_DECODER, RVM_LAYER_GAP_EMBED, "delta_embedder", RVM_KIND_LINEAR, { RVM_SIZE_GAPS }, { RVM_SIZE_DIM } },
  { RVM_PART_DECODER, RVM_LAYER_MASK_TOKEN, "mask_token", RVM_KIND_VALUES, { RVM_SIZE_ONE }, { RVM_SIZE_DIM } },
  CROSS_TRANSFORMER (RVM_PART_DECODER, "decoder"),
  { RVM_PART_DECODER, RVM_LAYER_DETOKENIZE, "detokenizer/Dense_0", RVM_KIND_LINEAR, { RVM_SIZE_DIM }, { RVM_SIZE_PIXELS } },

  /* The names are those of the authors' attention readout. */
  { RVM_PART_READOUT, RVM_LAYER_CROSS_NORM, "LayerNorm_0", RVM_KIND_NORM, .outputs = { RVM_SIZE_INPUT } },
  { RVM_PART_READOUT, RVM_LAYER_TEMPORAL_CODE, "temporal_posenc/embeddings", RVM_KIND_VALUES, { RVM_SIZE_WINDOW }, { RVM_SIZE_INPUT } },
  { RVM_PART_READOUT, RVM_LAYER_CROSS_KEY, "key_embedding", RVM_KIND_LINEAR, { RVM_SIZE_INPUT }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } },
  { RVM_PART_READOUT, RVM_LAYER_CROSS_VALUE, "value_embedding", RVM_KIND_LINEAR, { RVM_SIZE_INPUT }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } },
  { RVM_PART_READOUT, RVM_LAYER_CROSS_OUT, "Dense_0", RVM_KIND_LINEAR, { RVM_SIZE_DIM }, { RVM_SIZE_DIM } },
  { RVM_PART_READOUT, RVM_LAYER_MLP_NORM, "LayerNorm_1", RVM_KIND_NORM, .outputs = { RVM_SIZE_DIM } },
  { RVM_PART_READOUT, RVM_LAYER_MLP_IN, "MLP_0/Dense_0", RVM_KIND_LINEAR_XAVIER, { RVM_SIZE_DIM }, { RVM_SIZE_MLP } },
  { RVM_PART_READOUT, RVM_LAYER_MLP_OUT, "MLP_0/Dense_1", RVM_KIND_LINEAR_XAVIER, { RVM_SIZE_MLP }, { RVM_SIZE_DIM } },
  { RVM_PART_READOUT, RVM_LAYER_OUTPUTS, "Dense_1", RVM_KIND_LINEAR, { RVM_SIZE_DIM }, { RVM_SIZE_OUTPUTS } },
  { RVM_PART_LEARNED_QUERIES, RVM_LAYER_QUERIES, "query", RVM_KIND_VALUES, { RVM_SIZE_QUERIES }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } },
  { RVM_PART_PLACE_QUERIES, RVM_LAYER_PLACE_IN, "query_mlp/Dense_0", RVM_KIND_LINEAR_XAVIER, { RVM_SIZE_CODE }, { RVM_SIZE_MLP } },
  { RVM_PART_PLACE_QUERIES, RVM_LAYER_PLACE_OUT, "query_mlp/Dense_1", RVM_KIND_LINEAR_XAVIER, { RVM_SIZE_MLP }, { RVM_SIZE_HEADS, RVM_SIZE_HEAD_DIM } },

  { RVM_PART_POOLED_LINEAR, RVM_LAYER_OUTPUTS, "linear", RVM_KIND_LINEAR,
      { RVM_SIZE_WINDOW, RVM_SIZE_CELLS, RVM_SIZE_CELLS, RVM_SIZE_DIM }, { RVM_SIZE_OUTPUTS } },
  { RVM_PART_POOLED_CHANGES, RVM_LAYER_CHANGE, "linear/change", RVM_KIND_VALUES, { RVM_SIZE_WINDOW, RVM_SIZE_CELLS, RVM_SIZE_CELLS }, { RVM_SIZE_OUTPUTS } },
  { RVM_PART_POOLED_CHANGES, RVM_LAYER_TRAVEL, "linear/travel", RVM_KIND_VALUES, { RVM_SIZE_WINDOW, RVM_SIZE_CELLS, RVM_SIZE_CELLS }, { RVM_SIZE_OUTPUTS } },
  { RVM_PART_PATCH_LINEAR, RVM_LAYER_OUTPUTS, "patches", RVM_KIND_LINEAR, { RVM_SIZE_RINGS, RVM_SIZE_DIM }, { RVM_SIZE_OUTPUTS } },
  { RVM_PART_PATCH_LINEAR, RVM_LAYER_PLACE_OUT, "places", RVM_KIND_KERNEL, { RVM_SIZE_CODE }, { RVM_SIZE_OUTPUTS } },
  { RVM_PART_DISTANCE, RVM_LAYER_MEAN, "mean", RVM_KIND_VALUES, .outputs = { RVM_SIZE_DIM } },
  { RVM_PART_DISTANCE, RVM_LAYER_WHITENING, "whitening", RVM_KIND_VALUES, { RVM_SIZE_DIM }, { RVM_SIZE_DIM } },
};

static const char *const suffixes[RVM_N_ROLES] = {
  [RVM_ROLE_VALUES] = "", [RVM_ROLE_SCALE] = "/scale", [RVM_ROLE_KERNEL] = "/kernel", [RVM_ROLE_BIAS] = "/bias",
};

static const guint8 roles_of_kinds[] = {
  [RVM_KIND_VALUES] = 1 << RVM_ROLE_VALUES,
  [RVM_KIND_SCALE] = 1 << RVM_ROLE_SCALE,
  [RVM_KIND_NORM] = 1 << RVM_ROLE_SCALE | 1 << RVM_ROLE_BIAS,
  [RVM_KIND_KERNEL] = 1 << RVM_ROLE_KERNEL,
  [RVM_KIND_LINEAR] = 1 << RVM_ROLE_KERNEL | 1 << RVM_ROLE_BIAS,
  [RVM_KIND_LINEAR_XAVIER] = 1 << RVM_ROLE_KERNEL | 1 << RVM_ROLE_BIAS,
};

void
rvm_schema_complete (RvmSchema *schema)
{
  for (guint part = 0; part < RVM_N_PARTS; part++) {
    guint *sizes = schema->sizes[part];

    sizes[RVM_SIZE_ONE] = 1;
    sizes[RVM_SIZE_COLOURS] = 3;
    sizes[RVM_SIZE_PIXELS] = sizes[RVM_SIZE_PATCH] * sizes[RVM_SIZE_PATCH] * 3;
    sizes[RVM_SIZE_HEAD_DIM] = sizes[RVM_SIZE_HEADS] ? sizes[RVM_SIZE_DIM] / sizes[RVM_SIZE_HEADS] : 0;
  }
}

gboolean
rvm_schema_is_in_block (const RvmLayerRow *row)
{
  return strstr (row->name, "%u") != NULL;
}

gboolean
rvm_schema_has_role (const RvmLayerRow *row, RvmRole role)
{
  return (roles_of_kinds[row->kind] & 1 << role) != 0;
}

gboolean
rvm_schema_is_residual (const RvmLayerRow *row)
{
  return row->layer == RVM_LAYER_CROSS_OUT || row->layer == RVM_LAYER_MLP_OUT || row->layer == RVM_LAYER_SELF_OUT;
}

const RvmLayerRow *
rvm_schema_get_row (RvmSite site)
{
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (rows[i].part == site.part && rows[i].layer == site.layer)
      return &rows[i];
  g_return_val_if_reached (NULL);
}

/* The name of a layer with the number of its block in it. */
static char *
format_layer (const RvmLayerRow *row, guint block, const char *suffix)
{
  const char *number = strstr (row->name, "%u");

  if (number == NULL)
    return g_strconcat (row->name, suffix, NULL);
  return g_strdup_printf ("%.*s%u%s%s", (int) (number - row->name), row->name, block, number + strlen ("%u"), suffix);
}

char *
rvm_schema_format_name (RvmSite site, RvmRole role)
{
  return format_layer (rvm_schema_get_row (site), site.block, suffixes[role]);
}

/* The rest of @name after the name of a layer; NULL if it is not an array of that layer. A number has no leading zeros and fits 32 bits. */
static const char *
skip_layer (const RvmLayerRow *row, const char *name, guint *block)
{
  const char *number = strstr (row->name, "%u"), *after = row->name;
  gsize length = number ? (gsize) (number - row->name) : strlen (row->name);

  *block = 0;
  if (strncmp (name, row->name, length) != 0)
    return NULL;
  name += length;
  if (number) {
    const gsize digits = strspn (name, "0123456789");

    if (digits == 0 || digits > 9 || (digits > 1 && name[0] == '0'))
      return NULL;
    *block = g_ascii_strtoull (name, NULL, 10);
    name += digits;
    after = number + strlen ("%u");
    length = strlen (after);
    if (strncmp (name, after, length) != 0)
      return NULL;
    name += length;
  }
  return name;
}

gboolean
rvm_schema_find (const char *name, RvmSchemaEntry *entry)
{
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    const RvmLayerRow *row = &rows[i];
    guint block;
    const char *suffix = skip_layer (row, name, &block);

    for (guint role = 0; suffix && role < RVM_N_ROLES; role++)
      if (rvm_schema_has_role (row, role) && strcmp (suffix, suffixes[role]) == 0) {
        *entry = (RvmSchemaEntry){ row, block, role };
        return TRUE;
      }
  }
  return FALSE;
}

static guint64
multiply (const guint *sizes, const guint8 *shape, guint length)
{
  guint64 product = 1;

  for (guint i = 0; i < length && shape[i] != RVM_SIZE_NONE; i++)
    product *= sizes[shape[i]];
  return product;
}

guint64
rvm_schema_count_inputs (const RvmSchema *schema, const RvmLayerRow *row)
{
  return multiply (schema->sizes[row->part], row->inputs, RVM_MOST_INPUTS);
}

guint64
rvm_schema_count_outputs (const RvmSchema *schema, const RvmLayerRow *row)
{
  return multiply (schema->sizes[row->part], row->outputs, RVM_MOST_OUTPUTS);
}

static void
append_dims (RvmArray *array, const guint *sizes, const guint8 *shape, guint length)
{
  for (guint i = 0; i < length && shape[i] != RVM_SIZE_NONE; i++)
    array->dims[array->n_dims++] = sizes[shape[i]];
}

static void
append_layer (GArray *arrays, const RvmSchema *schema, const RvmLayerRow *row, guint block)
{
  const guint *sizes = schema->sizes[row->part];

  for (guint role = 0; role < RVM_N_ROLES; role++)
    if (rvm_schema_has_role (row, role)) {
      RvmArray array = { .name = format_layer (row, block, suffixes[role]), .dtype = RVM_DTYPE_F32 };

      if (role == RVM_ROLE_VALUES || role == RVM_ROLE_KERNEL)
        append_dims (&array, sizes, row->inputs, RVM_MOST_INPUTS);
      append_dims (&array, sizes, row->outputs, RVM_MOST_OUTPUTS);
      g_array_append_val (arrays, array);
    }
}

GArray *
rvm_schema_list_arrays (const RvmSchema *schema, RvmPart first, RvmPart last)
{
  GArray *arrays = g_array_new (FALSE, TRUE, sizeof (RvmArray));
  guint end;

  g_array_set_clear_func (arrays, (GDestroyNotify) rvm_array_clear);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i = end) {
    const RvmPart part = rows[i].part;
    const gboolean in_block = rvm_schema_is_in_block (&rows[i]);

    end = i + 1;
    while (in_block && end < G_N_ELEMENTS (rows) && rows[end].part == part && rvm_schema_is_in_block (&rows[end]))
      end++;
    if (part < first || part > last)
      continue;
    for (guint block = 0; block < (in_block ? schema->blocks[part] : 1); block++)
      for (guint row = i; row < end; row++)
        append_layer (arrays, schema, &rows[row], block);
  }
  return arrays;
}
