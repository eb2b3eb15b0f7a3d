/* Internal: for model/readout/ and trainer/. What a kind of readout implements.
 *
 * To add a kind: a file with its RvmReadoutKind, a line in the table of readout.c, and the file in meson.build. A kind with a network of its own has
 * an RvmReadoutNetwork, too. */
#pragma once

#include "attention_readout.h"
#include "readout.h"

G_BEGIN_DECLS

/* How the values of a readout are loaded and run. */
typedef struct {
  gboolean (*claims) (const RvmWeights *weights); /* whether a file is of this network, by its arrays; NULL: it is if it is of no other */
  /* Reads the arrays to readout->network, and sets dim, queries and outputs. @parameters: (nullable): see rvm_loader_keep_parameters(). */
  gboolean (*load) (RvmReadout *readout, RvmWeights *weights, const RvmReadoutOptions *options, GPtrArray **parameters, GError **error);
  void (*unload) (RvmReadout *readout); /* frees readout->network, which may be NULL */

  /* A window of states on a grid. What start() returns is the `window` of the others. */
  gpointer (*start) (RvmReadout *readout, guint rows, guint columns, GError **error);
  void (*stop) (gpointer window); /* NULL is allowed */
  void (*reset) (gpointer window);
  /* Adds a state; the outputs for the window as it is then, (queries, outputs), are valid until the next call. @states: how many it has. */
  const float *(*push) (gpointer window, const float *features, guint *states, GError **error);
  guint64 (*get_bytes) (gconstpointer window); /* of the device's memory; NULL: none */
} RvmReadoutNetwork;

struct _RvmReadoutKind {
  const char *name;
  const RvmReadoutNetwork *networks[3]; /* that it can have, up to the first NULL */
  /* Whether the metadata fit the network. RVM_ERROR_FORMAT; begins with the path. */
  gboolean (*check) (const RvmReadout *readout, GError **error);
  /* The shape of an answer for a grid: its rows, columns and channels. */
  void (*get_shape) (const RvmReadout *readout, guint rows, guint columns, RvmReadoutAnswer *shape);
  /* @outputs of the network to @values, and to @logits if has_logits. */
  gboolean (*has_logits) (const RvmReadout *readout);
  void (*interpret) (const RvmReadout *readout, const RvmReadoutAnswer *shape, const float *outputs, float *values, float *logits);
};
typedef struct _RvmReadoutKind RvmReadoutKind;

struct _RvmReadout {
  gint refs; /* atomic */
  const RvmReadoutKind *kind;
  RvmReadoutInfo *info;
  char *path;
  RvmDevice *device;
  guint dim;
  guint queries, outputs; /* of the network: queries, 0: one for each cell of the grid; outputs of each query */
  const RvmReadoutNetwork *functions; /* one of kind->networks */
  gpointer network;       /* what functions->load() made: an RvmAttentionReadout for rvm_attention_network */
  GPtrArray *parameters; /* (element-type RvmParameter), only of a trainable readout */
};

extern const RvmReadoutNetwork rvm_attention_network, rvm_linear_network, rvm_patches_network, rvm_distance_network;
extern const RvmReadoutKind rvm_readout_class, rvm_readout_dense, rvm_readout_distance;

/* A readout whose weights may change: of precision f32, with its parameters. RVM_ERROR_ARGUMENT if nothing of it can be trained. */
RvmReadout *rvm_readout_load_trainable (const char *path, RvmDevice *device, RvmGemmProvider gemm, GError **error);

/* (transfer full): the @count values of an array that was found to be there, or NULL. */
float *rvm_readout_read_array (RvmWeights *weights, RvmSite site, RvmRole role, gsize count, GError **error);

/* softmax of each of @n rows of @columns; @out may be @x. */
void rvm_readout_softmax (const float *x, float *out, guint n, guint columns);

G_END_DECLS
