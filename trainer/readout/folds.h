/* Cross-validation over groups of clips: in turn, each group is held out, and a classifier that has seen nothing of it is measured on it.
 * How much a classifier is penalised, and how coarsely it pools, is chosen among the other groups alone. */
#pragma once

#include "sequences.h"
#include "trainer/evaluate/classifier.h"

G_BEGIN_DECLS

typedef struct {
  guint n;        /* folds */
  guint *of_clip; /* (clips): in which a clip is held out */
  gboolean mixed; /* all clips are of one group: clips of it are on both sides */
} RvmFolds;

/* A fold for each group, 10 at most; of a single group, clips in turn. */
RvmFolds *rvm_folds_new (const RvmLabelled *labelled);
void rvm_folds_free (RvmFolds *folds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFolds, rvm_folds_free)

/* The best way, of those tried, to make a classifier. */
typedef struct {
  guint pool;
  RvmClassifierMethod method;
} RvmChoice;

typedef struct {
  double *scores;        /* (clips, classes) of clips that were held out */
  double *second_scores; /* of their other phase */
  double *other_scores;  /* of other sequences of the same clips; NULL without */
  RvmChoice choice;      /* for a classifier made of all clips */
} RvmHeldOut;

/* @sequences: (element-type RvmSequence) of the clips. @others: (nullable): of the same clips in another form, such as reversed, only to
 * measure. */
RvmHeldOut *rvm_folds_measure (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, GPtrArray *others,
                               const RvmWindowShape *shape);
void rvm_held_out_free (RvmHeldOut *held_out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmHeldOut, rvm_held_out_free)

/* The weights of @choice, learned from all clips. @kernel: (transfer full): (length, classes). @bias: (classes). */
float *rvm_folds_fit_all (const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, const RvmChoice *choice,
                          gsize *length, double *bias);

G_END_DECLS
