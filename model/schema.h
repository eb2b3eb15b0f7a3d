/* The arrays of networks, each described once: its name, its shape and the layer that it belongs to.
 *
 * schema.c has a table of layers. An RvmSchema adds the sizes that turn the table's shapes into numbers. Everything that deals with arrays by name
 * follows from the two: which arrays a weight file must have (config.h), how they are loaded onto a device (loader.h), how the trainer initialises,
 * saves and groups them, and which arrays of a file are not needed. docs/model.md says what the layers compute. */
#pragma once

#include "format/array.h"

G_BEGIN_DECLS

/* The parts of a network. Each has sizes of its own, and at most one stack of blocks. */
typedef enum {
  RVM_PART_TOKENIZER,
  RVM_PART_ENCODER,
  RVM_PART_CORE,
  RVM_PART_DECODER,
  RVM_PART_READOUT,         /* an attention readout (readout/attention_readout.h) has this part, and one of the next two */
  RVM_PART_LEARNED_QUERIES,
  RVM_PART_PLACE_QUERIES,
  RVM_PART_POOLED_LINEAR,   /* a linear readout of pooled states (readout/linear.c), which may have the next part, too */
  RVM_PART_POOLED_CHANGES,
  RVM_PART_PATCH_LINEAR,    /* a linear readout of each patch (readout/patches.c) */
  RVM_PART_DISTANCE,        /* a readout that measures distances (readout/distance.c) */
  RVM_N_PARTS,
} RvmPart;

/* The layers of RVM. A layer may occur in several parts, and in each block of a part. */
typedef enum {
  RVM_LAYER_PATCH_EMBEDDING,
  RVM_LAYER_CLASS_TOKEN,
  /* cross-attention of a block; its keys and values are those of the context */
  RVM_LAYER_CROSS_NORM,
  RVM_LAYER_CROSS_QUERY,
  RVM_LAYER_CROSS_KEY,
  RVM_LAYER_CROSS_VALUE,
  RVM_LAYER_CROSS_OUT,
  /* MLP of a block */
  RVM_LAYER_MLP_NORM,
  RVM_LAYER_MLP_IN,
  RVM_LAYER_MLP_OUT,
  /* self-attention of a block */
  RVM_LAYER_SELF_NORM,
  RVM_LAYER_SELF_QUERY,
  RVM_LAYER_SELF_KEY,
  RVM_LAYER_SELF_VALUE,
  RVM_LAYER_SELF_OUT,
  /* after the blocks */
  RVM_LAYER_OUTPUT_NORM,
  /* gates of the core */
  RVM_LAYER_INPUT_UPDATE,
  RVM_LAYER_INPUT_RESET,
  RVM_LAYER_STATE_UPDATE,
  RVM_LAYER_STATE_RESET,
  RVM_LAYER_STATE_NORM,
  /* the decoder's own */
  RVM_LAYER_DECODER_EMBED,
  RVM_LAYER_GAP_EMBED,
  RVM_LAYER_MASK_TOKEN,
  RVM_LAYER_DETOKENIZE,
  /* of readouts, which also have layers named above: cross-attention of learned queries, and an MLP */
  RVM_LAYER_TEMPORAL_CODE,
  RVM_LAYER_QUERIES,
  RVM_LAYER_PLACE_IN,
  RVM_LAYER_PLACE_OUT,
  RVM_LAYER_OUTPUTS,
  RVM_LAYER_CHANGE,
  RVM_LAYER_TRAVEL,
  RVM_LAYER_MEAN,
  RVM_LAYER_WHITENING,
} RvmLayer;

/* What the shapes of arrays are made of. RVM_SIZE_NONE ends a shape. */
typedef enum {
  RVM_SIZE_NONE,
  RVM_SIZE_ONE,
  RVM_SIZE_COLOURS,  /* 3 */
  RVM_SIZE_PATCH,    /* side of a patch, pixels */
  RVM_SIZE_PIXELS,   /* patch * patch * 3 */
  RVM_SIZE_INPUT,    /* width of what the part is given, where that is not its own width */
  RVM_SIZE_DIM,      /* width of the part's tokens */
  RVM_SIZE_HEADS,
  RVM_SIZE_HEAD_DIM, /* dim / heads */
  RVM_SIZE_MLP,      /* width of the hidden layer */
  RVM_SIZE_GAPS,     /* length of the one-hot encoding of a frame gap */
  RVM_SIZE_WINDOW,   /* most states that a readout looks at */
  RVM_SIZE_CELLS,    /* along each side of the grid that a linear readout pools over */
  RVM_SIZE_RINGS,    /* surroundings of a patch that a linear readout looks at, the patch itself among them */
  RVM_SIZE_QUERIES,  /* learned queries of a readout */
  RVM_SIZE_CODE,     /* width of the Fourier positional encoding */
  RVM_SIZE_OUTPUTS,  /* of each query of a readout */
  RVM_N_SIZES,
} RvmSize;

/* The arrays that a layer can have, in the order in which they are listed. */
typedef enum {
  RVM_ROLE_VALUES, /* the layer is one array, named as the layer: a token, a query */
  RVM_ROLE_SCALE,  /* "NAME/scale" */
  RVM_ROLE_KERNEL, /* "NAME/kernel" */
  RVM_ROLE_BIAS,   /* "NAME/bias" */
  RVM_N_ROLES,
} RvmRole;

/* Which arrays a layer has, and how its kernel is initialised. */
typedef enum {
  RVM_KIND_VALUES,        /* values */
  RVM_KIND_SCALE,         /* scale: a layer norm without bias */
  RVM_KIND_NORM,          /* scale and bias: a layer norm */
  RVM_KIND_KERNEL,        /* kernel: a linear layer without bias */
  RVM_KIND_LINEAR,        /* kernel and bias */
  RVM_KIND_LINEAR_XAVIER, /* kernel and bias; the kernel starts Xavier uniform, those of the other kinds LeCun normal */
} RvmLayerKind;

#define RVM_MOST_INPUTS 4
#define RVM_MOST_OUTPUTS 2

/* A layer: y = x W + b, or a vector. W has the shape (inputs..., outputs...), b and scales (outputs...), values (inputs..., outputs...). */
typedef struct {
  RvmPart part;
  RvmLayer layer;
  const char *name; /* "encoder/layers_%u/attention/query": %u is the number of the block */
  RvmLayerKind kind;
  guint8 inputs[RVM_MOST_INPUTS], outputs[RVM_MOST_OUTPUTS]; /* RvmSize, up to the first RVM_SIZE_NONE */
} RvmLayerRow;

typedef struct {
  guint sizes[RVM_N_PARTS][RVM_N_SIZES];
  guint blocks[RVM_N_PARTS];
} RvmSchema;

/* One layer of a network. @block is ignored for a layer that is not in blocks. */
typedef struct {
  RvmPart part;
  RvmLayer layer;
  guint block;
} RvmSite;

/* One array of a network. */
typedef struct {
  const RvmLayerRow *row;
  guint block; /* 0 for a layer that is not in a block */
  RvmRole role;
} RvmSchemaEntry;

/* Fills in the sizes that are the same everywhere or follow from others: one, colours, pixels, head_dim. */
void rvm_schema_complete (RvmSchema *schema);

const RvmLayerRow *rvm_schema_get_row (RvmSite site); /* (transfer none); @site must be in the table */
gboolean rvm_schema_has_role (const RvmLayerRow *row, RvmRole role);
gboolean rvm_schema_is_in_block (const RvmLayerRow *row);
/* Whether it is a layer of a block whose output is added to the tokens. */
gboolean rvm_schema_is_residual (const RvmLayerRow *row);

/* (transfer full): "encoder/layers_0/attention/query/kernel". */
char *rvm_schema_format_name (RvmSite site, RvmRole role);
/* Finds the array called @name, whatever the sizes of the network are. FALSE if the table has none. */
gboolean rvm_schema_find (const char *name, RvmSchemaEntry *entry);

/* Products of the sizes of the inputs and outputs of a layer: W is a matrix (inputs, outputs). */
guint64 rvm_schema_count_inputs (const RvmSchema *schema, const RvmLayerRow *row);
guint64 rvm_schema_count_outputs (const RvmSchema *schema, const RvmLayerRow *row);

/* (transfer full) (element-type RvmArray): the arrays of the parts from @first to @last, in the table's order, block by block; dtype F32. */
GArray *rvm_schema_list_arrays (const RvmSchema *schema, RvmPart first, RvmPart last);

G_END_DECLS
