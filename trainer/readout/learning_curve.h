/* RvmLearningCurve: how many clips of each class a readout in closed form needs, beside grey pixels, which learn from the same clips. */
#pragma once

#include "folds.h"

G_BEGIN_DECLS

/* Over drawings of the clips: the mean of a measure, and its standard deviation. */
typedef struct {
  double mean, deviation;
} RvmCurveValue;

typedef struct {
  guint clips;    /* of each class, at most */
  double learned; /* so many that there were, on average over classes and folds */
  RvmCurveValue readout, grey, over; /* mean over classes of clips that were held out: of the readout, of grey pixels, and the difference, drawing by drawing */
} RvmCurvePoint;

/* What is measured: sequences (element-type RvmSequence) of all clips, and the windows of them. */
typedef struct {
  GPtrArray *sequences;
  RvmWindowShape shape;
} RvmCurveSource;

/* (transfer full) (element-type RvmCurvePoint): 1, 2, 3, ... clips of each class, until all are used. Interrupts, which the caller has caught, end it with
 * RVM_ERROR_FILE. */
GArray *rvm_learning_curve_measure (const RvmFolds *folds, const RvmLabelled *labelled, const RvmCurveSource *readout, const RvmCurveSource *grey,
                                    GError **error);

/* Appends a table. */
void rvm_learning_curve_format (const GArray *curve, GString *text);
/* Appends an array of objects: clips, learned, readout, grey and over, these as arrays of mean and deviation. */
void rvm_learning_curve_format_json (const GArray *curve, GString *text);

G_END_DECLS
