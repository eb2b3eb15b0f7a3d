/* What a dense readout is to be made of, and what became of it: a table of everything simpler that might do as well, and the readout itself. */
#pragma once

#include "dense_measures.h"
#include "features.h"
#include "readout_file.h"

G_BEGIN_DECLS

/* AUTO: the closed form, and with many pictures also attention; the better on pictures that are held out of those that are learned from is kept. */
typedef enum { RVM_DENSE_AUTO, RVM_DENSE_LINEAR, RVM_DENSE_ATTENTION } RvmDenseNetwork;

typedef struct {
  RvmTargetKind kind;
  RvmDenseNetwork network;
  guint width, height;  /* of the analysed picture, pixels */
  guint window, stride; /* states, frames from one to the next */
  RvmReadoutReference reference;
  RvmReadoutFeatures features;
  guint64 steps, seed;  /* of a training of attention: at most; as many are taken as are best for pictures that are held out */
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
  char *choice;              /* how the readout was trained, and how well that did where it was chosen, for people */
  gboolean linear;           /* the closed form was kept: it looks at the newest state only */
  double rate;               /* frames a second; 0: unknown */
  GPtrArray *arrays;         /* (element-type RvmReadoutArray): of a readout made from all pictures, but those of a data set that is only to measure */
} RvmDenseReport;

RvmDenseReport *rvm_dense_report_new (void);
void rvm_dense_report_free (RvmDenseReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseReport, rvm_dense_report_free)

/* (transfer full): a table, and what is to be thought of it. @classes: (nullable): the names of labels. */
char *rvm_dense_report_format (const RvmDenseReport *report, const char *const *classes);

G_END_DECLS
