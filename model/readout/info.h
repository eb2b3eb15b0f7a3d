/* RvmReadoutInfo: what a readout file says about itself, apart from its arrays: the metadata of the safetensors file.
 *
 *   format      "rvm-readout"
 *   version     "1"
 *   kind        "class", "dense" or "distance" (readout.h)
 *   model       id of the backbone's weights (rvm_model_get_id()): a readout of one model means nothing with another
 *   features    "state" or "encoder": which of the backbone's outputs it was trained on
 *   width, height   of the analysed picture, pixels
 *   window      states that it looks at, at most
 *   stride      analysed frames from one of these states to the next
 *   reference   "none", "first" or "mean": what is subtracted from every state of a window
 *   cells       of attention networks of kind "class": states are pooled to the cells of a grid of this many a side (pooled.h); absent: they are not
 *   frame-rate  analysed frames per second in training; absent: unknown
 *   classes     names, one a line; of kinds that have classes
 *   target      "depth" or "labels": of dense readouts
 *   unit        of the values, "m"
 *   material, licence, measured   text for people: what it was trained on, the licence of the labels, and how well it does
 *
 * Other entries are ignored. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum { RVM_READOUT_STATE, RVM_READOUT_ENCODER } RvmReadoutFeatures;
typedef enum { RVM_REFERENCE_NONE, RVM_REFERENCE_FIRST, RVM_REFERENCE_MEAN } RvmReadoutReference;

typedef struct {
  char *kind;
  char *model;    /* 32 hexadecimal digits */
  RvmReadoutFeatures features;
  guint width, height;
  guint window, stride;
  RvmReadoutReference reference;
  guint cells;       /* 0: states are not pooled */
  double frame_rate; /* 0: unknown */
  char **classes;    /* NULL: none */
  char *target, *unit, *material, *licence, *measured; /* NULL: not said */
} RvmReadoutInfo;

/* Reads and checks @metadata (string -> string). RVM_ERROR_FORMAT; errors begin with @path and name the entry and what was expected. */
RvmReadoutInfo *rvm_readout_info_from_metadata (GHashTable *metadata, const char *path, GError **error);
/* The same of a file, without its arrays. */
RvmReadoutInfo *rvm_readout_info_open (const char *path, GError **error);
GHashTable *rvm_readout_info_to_metadata (const RvmReadoutInfo *info); /* (transfer full) */
RvmReadoutInfo *rvm_readout_info_copy (const RvmReadoutInfo *info);
void rvm_readout_info_free (RvmReadoutInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReadoutInfo, rvm_readout_info_free)

guint rvm_readout_info_count_classes (const RvmReadoutInfo *info); /* 0: none */

/* Whether the readout is one of the model @model_id. RVM_ERROR_MODEL names both; @what, such as the file's name, begins the message. */
gboolean rvm_readout_info_check_model (const RvmReadoutInfo *info, const char *model_id, const char *what, GError **error);

/* (transfer full): a few lines of text, for people. */
char *rvm_readout_info_describe (const RvmReadoutInfo *info);

G_END_DECLS
