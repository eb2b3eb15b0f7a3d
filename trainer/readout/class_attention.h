/* Attention readouts of classes: measured on clips of groups that were held out, and made from all clips. */
#pragma once

#include "folds.h"
#include "model/model.h"

G_BEGIN_DECLS

typedef struct {
  RvmDevice *device;
  const RvmReadoutInfo *info; /* of the file; of it, `cells` is set here */
  const RvmLabelled *labelled;
  const RvmFolds *folds;
  GPtrArray *sequences;       /* (element-type RvmSequence) of all clips */
  GPtrArray *others;          /* (nullable): of the same clips in another form, only to measure */
  guint dim, phases, epochs;
  guint64 seed;
} RvmClassAttention;

/* The logarithms of probabilities, (clips, classes); the names are those of RvmHeldOut. Trains as many readouts as there are folds. */
RvmHeldOut *rvm_class_attention_measure (const RvmClassAttention *attention, GError **error);
/* (transfer full) (element-type RvmReadoutArray): of a readout made from all clips. @factor: what its logits are multiplied by. */
GPtrArray *rvm_class_attention_fit_all (const RvmClassAttention *attention, double factor, GError **error);

G_END_DECLS
