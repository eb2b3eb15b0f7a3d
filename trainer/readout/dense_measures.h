/* How well maps of labels or of depth agree with pictures of what is where, pixel by pixel of these pictures.
 *
 * Pictures that follow each other are alike. So a standard error is found by leaving out each of 10 to 20 stretches of them in turn (a jackknife), and
 * two ways to make maps of the same pictures are compared stretch by stretch. */
#pragma once

#include "targets.h"

G_BEGIN_DECLS

enum { RVM_DENSE_STRETCHES = 20 };

/* Sums over pixels. */
typedef struct {
  guint64 pixels;         /* that count */
  guint64 *confusion;     /* (classes, classes): true class, answer; NULL for depth */
  double relative, close; /* see below */
} RvmDenseSums;

typedef struct {
  guint n;                /* pictures */
  guint classes;          /* 0 for depth */
  RvmDenseSums all, stretches[RVM_DENSE_STRETCHES];
  guint n_stretches, length, in_last; /* pictures of a stretch, and of the last one */
} RvmDenseMeasures;

RvmDenseMeasures *rvm_dense_measures_new (const RvmTargetKind *kind);
void rvm_dense_measures_free (RvmDenseMeasures *measures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseMeasures, rvm_dense_measures_free)

/* @values: (rows, columns, channels): probabilities of labels, or metres. They are interpolated to the picture's size. */
void rvm_dense_measures_add (RvmDenseMeasures *measures, const RvmTargetMap *map, const RvmTargetKind *kind, const float *values, guint rows,
                             guint columns);

/* Intersection over union of a class; NAN: there is none of it. */
double rvm_dense_measures_get_class_iou (const RvmDenseMeasures *measures, guint label);

/* Measures of labels: 0, the mean of that over the classes that there are pixels of; 1, the share of pixels that are right. Of depth: 0, the mean of
 * |answer - depth| / depth; 1, the share of pixels that are less than a factor of 1.25 wrong. */
const char *rvm_dense_measure_name (const RvmTargetKind *kind, guint which);
double rvm_dense_measure_get (const RvmDenseMeasures *measures, const RvmTargetKind *kind, guint which);
/* The standard error of a measure, or of the difference to that of @less (nullable), which was of the same pictures in the same order. NAN: of a single
 * picture. */
double rvm_dense_measure_get_error (RvmDenseMeasures *measures, RvmDenseMeasures *less, const RvmTargetKind *kind, guint which);

G_END_DECLS
