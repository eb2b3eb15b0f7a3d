/* Video object segmentation by label propagation (docs/model.md): how well features follow the masks of DAVIS, beside baselines without learning. */
#pragma once

#include "davis.h"
#include "model/appearance.h"
#include "model/refine.h"
#include "model/model.h"
#include "points.h"

G_BEGIN_DECLS

typedef struct {
  guint width, height; /* of the analysed picture, multiples of the patch sizes of all models */
  guint frames;        /* of a sequence, the first ones; 0: all */
  guint warm_up;       /* extra passes of the core over the first frame */
  RvmPropagationSettings propagation;
  double refine; /* cells: how far edges of masks follow the picture (model/refine.h); 0: masks are the interpolated labels, as published */
  RvmAppearance appearance; /* what is compared beside the features of each kind; propagation.extra fits it */
} RvmEvaluation;

/* What one kind of features achieved on one sequence. */
typedef struct {
  double j, f; /* means over objects and frames; as in DAVIS's own code without the first frame, which is given, and the sequence's last */
  double jf;   /* the mean of the two */
  double pck;  /* of points: the share within 0.2 times the root of the object's area */
} RvmScore;

/* The kinds of features, in the order of scores: the first mask copied, raw colours of patches (of @patch pixels), then for each model the
 * recurrent features and the encoder's. */
#define RVM_EVALUATE_KINDS(n_models) (2 + 2 * (n_models))

/* @scores: RVM_EVALUATE_KINDS (n_models). With @points (nullable), the points visible in the first marked frame are followed from there on
 * instead of the mask, and pck is the score; the area is that of the sequence's mask in the same frame. */
gboolean rvm_evaluate_sequence (const RvmEvaluation *evaluation, RvmModel *const *models, guint n_models, const RvmDavisSequence *sequence,
    const RvmMarkedPoints *points, RvmScore *scores, GError **error);

/* Over @count scores that are @stride apart, each of another sequence: their @mean, and its standard @error, the deviation of a single score
 * (with count - 1 degrees of freedom) divided by the root of @count; 0 of a single one. */
void rvm_score_mean (const RvmScore *scores, guint count, guint stride, RvmScore *mean, RvmScore *error);

G_END_DECLS
