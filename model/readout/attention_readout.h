/* RvmAttentionReadout: the authors' attention readout, a block of cross-attention on a window of states. Private to model/readout/ and trainer/.
 *
 *   n  = LN (state) + code[age of the state]      one row of the temporal code for all tokens of a state; age 0 is the newest
 *   kv = n Wkv + b                                keys and values
 *   a  = q + attention (q, kv) W + b              q: learned queries, or queries made from the places of a grid
 *   h  = a + MLP (LN (a))
 *   y  = h W + b                                  the outputs of each query
 *
 * Sizes: C channels of a token, P the width of the readout. A window has `states` states of `tokens` tokens each. Rows of a batch are ordered by
 * window, state and token.
 *
 * attention() looks at all tokens of a window at once. A stream (attention_window.c) instead keeps what the attention to each state gives, and joins
 * these (kernels/ops/window.h): the queries are always the same, so only a new state costs a projection and an attention. */
#pragma once

#include "model/net/arena.h"
#include "model/net/layers.h"

G_BEGIN_DECLS

typedef struct {
  guint dim;              /* C */
  guint window;           /* rows of the temporal code: the most states of a window */
  guint code;             /* width of the positional encoding; 0: the queries are learned */
  guint queries;          /* learned queries; 0 if they are made from places */
  guint outputs;          /* of each query */
  RvmTransformerConfig block; /* dim: P; heads; mlp; layers is 1 */
} RvmAttentionReadoutConfig;

typedef struct {
  RvmAttentionReadoutConfig config;
  RvmNorm norm;
  RvmBuffer *temporal_code;       /* (window, C) */
  RvmBuffer *queries;             /* (queries, P), or NULL */
  RvmLinear *place_in, *place_out; /* (code, mlp), (mlp, P), or NULL */
  RvmLinear *key_value;           /* (C, 2 P): keys | values */
  RvmLinear *out;                 /* (P, P) */
  RvmMlpLayer mlp;
  RvmLinear *outputs;             /* (P, outputs) */
} RvmAttentionReadout;

/* What a pass is over. */
typedef struct {
  guint windows, states, tokens, queries; /* states of each window, tokens of each state, queries for each window */
} RvmReadoutShape;

/* What the readout is given; borrowed. */
typedef struct {
  const RvmBuffer *states; /* (windows * states * tokens, C) */
  const RvmBuffer *age;    /* uint32 (windows * states), each less than the window */
  const RvmBuffer *places; /* (queries, code): rvm_attention_readout_code_places(); NULL for learned queries */
  const RvmBuffer *query_of_row; /* uint32 (windows * queries): i mod queries */
} RvmReadoutInput;

/* What the readout writes; borrowed. */
typedef struct {
  RvmBuffer *norm;         /* (windows * states * tokens, C), with the temporal code */
  RvmBuffer *keys_values;  /* (windows * states * tokens, 2 P) */
  RvmBuffer *place_pre_gelu, *place_hidden; /* (queries, mlp), or NULL */
  RvmBuffer *query;        /* (queries, P): of one window; NULL for learned queries */
  RvmBuffer *queries;      /* (windows * queries, P) */
  RvmBuffer *attended;     /* (windows * queries, P) */
  RvmBuffer *log_sum_exp;  /* (windows * heads, queries) */
  RvmBuffer *joined;       /* (windows * queries, P): a above */
  RvmMlpActivations mlp;   /* out is h */
  RvmBuffer *outputs;      /* (windows * queries, outputs) */
} RvmReadoutActivations;

/* The sizes of a readout in a file, whose arrays are checked. Errors are those of rvm_config_from_weights(). */
gboolean rvm_attention_readout_read_config (RvmAttentionReadoutConfig *config, const RvmWeights *weights, GError **error);
/* RVM_ERROR_ARGUMENT for sizes that cannot work. */
gboolean rvm_attention_readout_validate (const RvmAttentionReadoutConfig *config, GError **error);
RvmSchema rvm_attention_readout_get_schema (const RvmAttentionReadoutConfig *config);
GArray *rvm_attention_readout_list_arrays (const RvmAttentionReadoutConfig *config); /* (transfer full) (element-type RvmArray) */

void rvm_attention_readout_load (RvmAttentionReadout *readout, RvmLoader *loader, const RvmAttentionReadoutConfig *config);
void rvm_attention_readout_clear (RvmAttentionReadout *readout);

/* @values (rows * columns, code): the Fourier positional encoding of the centre of each cell of a grid, row by row. Coordinates run from 0 to 1; channels are sine
 * and cosine of pi times the coordinate times 1, 2, 4, ..., of x, then of y. */
void rvm_attention_readout_code_places (guint code, guint rows, guint columns, float *values);

void rvm_readout_activations_take (RvmReadoutActivations *act, RvmArena *arena, const RvmAttentionReadoutConfig *config, const RvmReadoutShape *shape);

void rvm_attention_readout_forward (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmReadoutInput *input, const RvmReadoutActivations *act,
    const RvmReadoutShape *shape);

/* The parts of it, for streams. */
/* (queries, P): the queries of one window. @places, @act: as above. */
const RvmBuffer *rvm_attention_readout_make_queries (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmBuffer *places,
    const RvmReadoutActivations *act, guint queries);
/* @keys_values (rows, 2 P) of @n (rows, C). */
void rvm_attention_readout_project (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmBuffer *n, RvmBuffer *keys_values, guint rows);
/* How the readout calls rvm_attention(), for its forward and its backward pass. @keys: tokens of a window. */
RvmAttention rvm_attention_readout_describe (const RvmAttentionReadout *readout, const RvmBuffer *queries, const RvmReadoutActivations *act,
    guint windows, guint n_queries, guint keys);
/* From act->attended of @rows rows with their @queries to act->outputs. */
void rvm_attention_readout_finish (RvmQueue *queue, const RvmAttentionReadout *readout, const RvmBuffer *queries, const RvmReadoutActivations *act,
    guint rows);

G_END_DECLS
