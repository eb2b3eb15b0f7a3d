/* Linear classifiers in closed form, from the scalar products of the vectors alone, of which there are far fewer than they are long.
 *
 * A score of class c is sum over the training vectors of coefficient[i, c] * product of x and vector i, plus bias[c]. Classes weigh the
 * same however many vectors they have, unless the method says otherwise. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint n, classes;
  const double *products; /* (n, n) */
  const guint *label;     /* (n) */
} RvmClassifierData;

/* How a classifier is made. */
typedef struct {
  double ridge;   /* the penalty of ridge regression, as a share of the mean square of the vectors less their mean */
  gboolean alike; /* vectors weigh the same, not classes */
} RvmClassifierMethod;

/* @product[i, j] of the vectors i and j, of @length values each. Those of two vectors from number @learned on, which are only measured, are left as they
 * are. */
void rvm_classifier_multiply (const float *const *vectors, guint n, guint learned, gsize length, double *products);

/* @train: (n): the vectors to learn from. @coefficients: (n, classes), 0 for the others. A class without a vector to learn from has the
 * score -1e30. */
void rvm_classifier_fit (const RvmClassifierData *data, const gboolean *train, const RvmClassifierMethod *method, double *coefficients,
                         double *bias);
/* @products: (n) of the vector with those of the data. */
void rvm_classifier_score (const RvmClassifierData *data, const double *products, const double *coefficients, const double *bias,
                           double *scores);

G_END_DECLS
