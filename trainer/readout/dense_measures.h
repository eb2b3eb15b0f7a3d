/* How well maps of labels or of depth agree with pictures of what is where, pixel by pixel of these pictures. */
#pragma once

#include "targets.h"

G_BEGIN_DECLS

typedef struct {
  guint n;                /* pictures */
  guint64 pixels;         /* that count */
  guint classes;
  guint64 *confusion;     /* (classes, classes): true class, answer */
  double relative, close; /* sums over pixels, see below */
} RvmDenseMeasures;

RvmDenseMeasures *rvm_dense_measures_new (const RvmTargetKind *kind);
void rvm_dense_measures_free (RvmDenseMeasures *measures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseMeasures, rvm_dense_measures_free)

/* @values: (rows, columns, channels): probabilities of labels, or metres. They are interpolated to the picture's size. */
void rvm_dense_measures_add (RvmDenseMeasures *measures, const RvmTargetMap *map, const RvmTargetKind *kind, const float *values, guint rows,
                             guint columns);

/* Intersection over union, the mean over the classes that there are pixels of; and the share of pixels that are right. */
double rvm_dense_measures_get_iou (const RvmDenseMeasures *measures);
double rvm_dense_measures_get_class_iou (const RvmDenseMeasures *measures, guint label); /* NAN: there is none of it */
double rvm_dense_measures_get_accuracy (const RvmDenseMeasures *measures);
/* The mean of |answer - depth| / depth; and the share of pixels that are less than a factor of 1.25 wrong. */
double rvm_dense_measures_get_abs_rel (const RvmDenseMeasures *measures);
double rvm_dense_measures_get_delta1 (const RvmDenseMeasures *measures);

/* The names of the two measures of a kind, and their values. */
const char *rvm_dense_measure_name (const RvmTargetKind *kind, guint which);
double rvm_dense_measure_get (const RvmDenseMeasures *measures, const RvmTargetKind *kind, guint which);

G_END_DECLS
