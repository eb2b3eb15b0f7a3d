/* Readouts of classes from labelled clips: measured by cross-validation beside everything simpler that might do as well, then made from all
 * clips. */
#pragma once

#include "features.h"
#include "measures.h"
#include "readout_file.h"

G_BEGIN_DECLS

/* Which networks are measured; the better one is kept. */
typedef enum {
  RVM_CLASS_AUTO,      /* linear, and attention from fifty clips a class on */
  RVM_CLASS_LINEAR,    /* in closed form */
  RVM_CLASS_ATTENTION,
  RVM_CLASS_BOTH,
} RvmClassNetwork;

typedef struct {
  guint width, height; /* of the analysed picture, pixels */
  guint window;        /* states */
  guint stride;        /* frames from one state to the next; 0: so that nine clips of ten fit into the window */
  RvmReadoutReference reference;
  RvmReadoutFeatures features;
  gboolean reversed; /* also measure clips that run backwards */
  gboolean curve;    /* also measure closed forms that learn from a few clips of each class */
  RvmClassNetwork network;
  guint epochs;      /* of attention readouts: how often each clip is seen */
  guint64 seed;      /* of attention readouts */
  const char *cache_dir;
  const RvmModelOptions *model_options; /* for the untrained network */
} RvmClassOptions;

/* A way to tell classes apart, and how well it did on clips of groups that it had not seen. */
typedef struct {
  char *name;
  RvmMeasures *measures;
} RvmClassRow;

/* The accuracy of the readout over that of another row, clip by clip, and its standard error. */
typedef struct {
  double accuracy, error;
} RvmClassMargin;

typedef struct {
  GArray *rows;                        /* (element-type RvmClassRow), the simplest first; those of the readout are the last */
  guint readout;                       /* index of the row of the readout that was kept */
  guint floor;                         /* index of the row of grey pixels less the first frame */
  guint strongest;                     /* the same with what changes beside them: the strongest of the cheap ways that are known */
  RvmClassMargin over_floor, over_strongest;
  guint folds;
  gboolean mixed; /* all clips are of one group: clips of it are on both sides, which flatters */
  guint stride, frames_least, frames_most;
  double rate;       /* frames a second of the clips, on average; 0: unknown */
  gboolean attention; /* which of the two networks was kept */
  int other;          /* index of the row of the other one; -1: it was not measured */
  guint cells;        /* see RvmReadoutInfo */
  GArray *curve;      /* (element-type RvmCurvePoint) (nullable): see RvmClassOptions.curve */
  GPtrArray *arrays;  /* (element-type RvmReadoutArray) of the readout made from all clips */
} RvmClassReport;

/* Interrupts have been caught by the caller and end it with an error. */
RvmClassReport *rvm_class_readout_train (const RvmClassOptions *options, RvmModel *model, const RvmLabelled *labelled, GError **error);
void rvm_class_report_free (RvmClassReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmClassReport, rvm_class_report_free)

/* (transfer full): a table, the confusion matrix, and what is to be thought of them. */
char *rvm_class_report_format (const RvmClassReport *report, const RvmLabelled *labelled);
/* The readout as a file. */
gboolean rvm_class_report_save (const RvmClassReport *report, const RvmReadoutInfo *info, const char *path, GError **error);

G_END_DECLS
