/* Cross-validation over groups of clips: in turn, each group is held out, and a classifier that has seen nothing of it is measured on it.
 * States are pooled over the finest grid that they have, and every classifier is ridge regression with one and the same penalty, so nothing is chosen. */
#pragma once

#include "sequences.h"
#include "trainer/evaluate/classifier.h"

G_BEGIN_DECLS

enum { RVM_FOLDS_PHASES = 4 }; /* of the frames of a clip, from which random ones are drawn */

typedef struct {
  guint n;        /* folds */
  guint *of_clip; /* (clips): in which a clip is held out */
  guint *phase;   /* (clips): a random one of each: the stride times this, divided by RVM_FOLDS_PHASES, is the first frame that is looked at */
  gboolean mixed; /* all clips are of one group: clips of it are on both sides */
} RvmFolds;

/* A fold for each group, 10 at most; of a single group, clips in turn. */
RvmFolds *rvm_folds_new (const RvmLabelled *labelled);
void rvm_folds_free (RvmFolds *folds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFolds, rvm_folds_free)

typedef struct {
  double *scores;        /* (clips, classes) of clips that were held out */
  double *random_scores; /* of their random phase; NULL without */
  double *other_scores;  /* of other sequences of the same clips; NULL without */
} RvmHeldOut;

/* @sequences: (element-type RvmSequence) of the clips. @random: also measure random phases, which @others needs. @others: (nullable): of the same clips in another form, such as reversed, only to
 * measure. */
RvmHeldOut *rvm_folds_measure (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, gboolean random, GPtrArray *others,
                               const RvmWindowShape *shape);
void rvm_held_out_free (RvmHeldOut *held_out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmHeldOut, rvm_held_out_free)

/* Drawings of a few clips of each class to learn from. */
typedef struct {
  const guint *numbers; /* (n_numbers): at most so many of each class: all where there are fewer */
  guint n_numbers;
  guint drawings;       /* of each number */
  gboolean (*tell) (gpointer user_data); /* called after each drawing. Returns FALSE to stop */
  gpointer user_data;
} RvmFewClips;

/* The mean over classes of clips that were held out, learned from a few of the others: @mean_class (n_numbers, drawings). The clips that are drawn depend on
 * the folds and on @few alone, so those of several calls are the same. FALSE: it was stopped. */
gboolean rvm_folds_measure_few (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, const RvmFewClips *few,
                                double *mean_class);

/* Along each side of the grid that states are pooled over. */
guint rvm_folds_get_cells (GPtrArray *sequences);

/* A classifier learned from all clips. (transfer full): its kernel, (values of a vector, classes). @bias: (classes). */
float *rvm_folds_fit_all (const RvmFolds *folds, const RvmLabelled *labelled, GPtrArray *sequences, const RvmWindowShape *shape, double *bias);

G_END_DECLS
