/* RvmConfig: the sizes of an RVM, and how they are found in a weight file. No size is hard-coded: every width, depth, head count and the patch size
 * follow from the names and shapes of the file's arrays (docs/model.md, section 5). */
#pragma once

#include "model/format/weights.h"
#include "schema.h"

G_BEGIN_DECLS

typedef struct {
  guint dim;    /* D, width of a token */
  guint layers;
  guint heads;  /* divides dim */
  guint mlp;    /* width of the hidden layer */
} RvmTransformerConfig;

typedef struct {
  guint patch;                  /* P, pixels */
  RvmTransformerConfig encoder;
  RvmTransformerConfig core;    /* dim is the encoder's */
  RvmTransformerConfig decoder; /* layers 0: the file has no decoder */
  guint deltas;                 /* length of the decoder's one-hot frame gap, 64 as published; 0 without decoder */
} RvmConfig;

/* "tiny", "small16", "base16", "large16", "huge16"; NULL if unknown. */
const RvmConfig *rvm_config_find (const char *name);
const char *const *rvm_config_list_names (void);
/* RVM_ERROR_ARGUMENT for sizes that cannot work: 0, heads that do not divide the width, absurdly large ones. */
gboolean rvm_config_validate (const RvmConfig *config, GError **error);

RvmSchema rvm_config_get_schema (const RvmConfig *config);
/* (transfer full) (element-type RvmArray): every array of a model of these sizes, encoder and core first; dtype F32. */
GArray *rvm_config_list_arrays (const RvmConfig *config, gboolean with_decoder);

/* Derives the sizes, and checks that every array of encoder and core is present, can be read and has the right shape. With @with_decoder the arrays of
 * the decoder are checked too, if the file has a block of it. Otherwise they are ignored, and the decoder has no layers. Arrays that the model does not
 * have are ignored. Errors name the file, the array, what was found and what was expected. */
gboolean rvm_config_from_weights (RvmConfig *config, const RvmWeights *weights, gboolean with_decoder, GError **error);
/* (transfer container) (element-type RvmArray): the arrays of @weights that a model of these sizes does not need. */
GPtrArray *rvm_config_list_others (const RvmConfig *config, const RvmWeights *weights);

/* For the configurations of other networks (readout/). Errors are those of rvm_config_from_weights(). */
/* The value of @size in the shape of an array of the file, 1 to 65535; 0 with @error set. */
guint rvm_config_read_size (const RvmWeights *weights, RvmSite site, RvmRole role, RvmSize size, GError **error);
/* Whether the file has every array of @arrays (element-type RvmArray), with that shape and a type that can be read. */
gboolean rvm_config_check_arrays (const GArray *arrays, const RvmWeights *weights, GError **error);

guint64 rvm_config_count_parameters (const RvmConfig *config, gboolean with_decoder);

G_END_DECLS
