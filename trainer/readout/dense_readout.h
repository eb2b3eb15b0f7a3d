/* Dense readouts (labels, depth) from pictures of what is where: measured on pictures that were held out, beside everything simpler that might do as well. */
#pragma once

#include "dense_measures.h"
#include "features.h"
#include "readout_file.h"

G_BEGIN_DECLS

typedef struct {
  RvmTargetKind kind;
  guint width, height;  /* of the analysed picture, pixels */
  guint window, stride; /* states, frames from one to the next */
  RvmReadoutReference reference;
  RvmReadoutFeatures features;
  guint64 steps, seed;  /* of a training */
  const char *cache_dir;
  const RvmModelOptions *model_options; /* for the untrained network */
} RvmDenseOptions;

/* A way to make maps, and how well it did on pictures that it had not seen. */
typedef struct {
  char *name;
  RvmDenseMeasures *measures;
} RvmDenseRow;

typedef struct {
  RvmTargetKind kind;
  GArray *rows;              /* (element-type RvmDenseRow), the simplest first; the readout is the last */
  guint learned, held_out;   /* pictures */
  char *split;               /* which were held out, for people */
  gboolean near;             /* what was held out is of the same group: it is alike, which flatters */
  double rate;               /* frames a second; 0: unknown */
  GPtrArray *arrays;         /* (element-type RvmReadoutArray): of a readout made from all pictures, but those of a data set that is only to measure */
} RvmDenseReport;

/* @data: its targets are learned from. @test: (nullable): what is measured on; without it, a fifth of @data, by groups, is held out, and the readout is then
 * made from all. Both are changed. Interrupts, which the caller has caught, end it with an error. The number of classes, of @options->kind, may be 0. */
RvmDenseReport *rvm_dense_readout_train (const RvmDenseOptions *options, RvmModel *model, RvmTargets *data, RvmTargets *test, GError **error);
void rvm_dense_report_free (RvmDenseReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseReport, rvm_dense_report_free)

/* (transfer full): a table, and what is to be thought of it. @classes: (nullable): the names of labels. */
char *rvm_dense_report_format (const RvmDenseReport *report, const char *const *classes);

G_END_DECLS
