/* Internal: what the files that make dense readouts share. How a readout is to be trained is chosen on pictures that are held out of those that are learned
 * from: these are in folds, of groups that stay together, or of stretches of pictures that follow each other if they are all of one group. */
#pragma once

#include "attention_training.h"
#include "dense_linear.h"
#include "dense_report.h"
#include "dense_windows.h"

G_BEGIN_DECLS

enum {
  RVM_DENSE_BATCH = 4,
  RVM_DENSE_BLOCK = 2,     /* places along a side of a patch */
  RVM_DENSE_FOLDS = 5,     /* at most */
  RVM_DENSE_JUDGED = 40,   /* pictures of a fold that networks are compared on, at most */
};

typedef struct {
  const RvmDenseOptions *options;
  RvmModel *model;         /* (transfer none) */
  RvmTargets *targets;
  RvmClipFrames *frames;
  RvmDenseReport *report;
  gboolean *test;          /* (targets): which are held out */
  guint rows, columns;
  GPtrArray *features;     /* (element-type RvmClipFeatures) of the model that is measured at the time */
  RvmDenseWindows *windows;
  guint *fold, folds;      /* (targets) of those that are learned from; G_MAXUINT: of none */
  guint rows_of_readout;   /* of the table: of the readout, and of the network that was not kept */
  guint part;              /* the fold that has nearest to a fifth of the pictures: on it the networks are compared */
} RvmDenseJob;

/* Into folds. There may be too few pictures or groups for two: then `folds` is 1. */
void rvm_dense_job_divide (RvmDenseJob *job);
/* (transfer full) (array of targets): those to learn from, without @fold; G_MAXUINT: all of them. */
gboolean *rvm_dense_job_select (const RvmDenseJob *job, guint fold);

typedef gboolean (*RvmDenseAnswer) (gpointer user_data, guint target, float *values, GError **error);
/* Adds to @measures what @answer says of the targets of which @which is TRUE; of @most of them at most, evenly chosen, or 0: all. */
gboolean rvm_dense_job_measure (const RvmDenseJob *job, const gboolean *which, guint most, RvmDenseAnswer answer, gpointer user_data,
                                RvmDenseMeasures *measures, GError **error);
/* By what choices are compared: larger is better. */
double rvm_dense_job_get_score (const RvmDenseJob *job, const RvmDenseMeasures *measures);

/* How a readout is to be trained, and how well that did on the pictures of `part`. */
typedef struct {
  gboolean linear;
  double score;            /* larger is better */
  double ridge, prior;     /* linear */
  guint64 steps;           /* attention */
} RvmDenseChoice;

/* The windows of the job must be set to features, encoder or not. FALSE with an error, also for interrupts. */
gboolean rvm_dense_closed_choose (RvmDenseJob *job, RvmDenseChoice *choice, GError **error);
RvmDenseLinear *rvm_dense_closed_fit (RvmDenseJob *job, const RvmDenseChoice *choice, const gboolean *used, GError **error);
gboolean rvm_dense_closed_answer (gpointer linear_and_windows, guint target, float *values, GError **error);
GPtrArray *rvm_dense_closed_read (const RvmDenseLinear *linear);

typedef struct {
  RvmDenseLinear *linear;
  const RvmDenseWindows *windows;
} RvmDenseClosed; /* what rvm_dense_closed_answer() is given */

/* @encoder: what the windows are set to. */
gboolean rvm_dense_attention_choose (RvmDenseJob *job, RvmModel *model, gboolean encoder, RvmDenseChoice *choice, GError **error);
RvmAttentionTraining *rvm_dense_attention_fit (RvmDenseJob *job, RvmModel *model, gboolean encoder, const RvmDenseChoice *choice,
                                               const gboolean *used, const char *what, GError **error);
gboolean rvm_dense_attention_answer (gpointer training_and_windows, guint target, float *values, GError **error);

typedef struct {
  RvmAttentionTraining *training;
  RvmDenseWindows *windows;
} RvmDenseAttention; /* what rvm_dense_attention_answer() is given */

G_END_DECLS
