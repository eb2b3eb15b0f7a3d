/* The arrays of a readout as they go into a file. */
#pragma once

#include "model/readout/info.h"

G_BEGIN_DECLS

typedef struct {
  char *name;
  guint n_dims;
  guint64 dims[5];
  float *values;
} RvmReadoutArray;

GPtrArray *rvm_readout_arrays_new (void); /* (element-type RvmReadoutArray) */
/* @values: (transfer full). */
void rvm_readout_arrays_add (GPtrArray *arrays, const char *name, float *values, guint n_dims, const guint64 *dims);
/* Writes them with the metadata of @info, under another name until all is there. */
gboolean rvm_readout_arrays_save (GPtrArray *arrays, const RvmReadoutInfo *info, const char *path, GError **error);

G_END_DECLS
