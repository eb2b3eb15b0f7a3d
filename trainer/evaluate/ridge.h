/* Ridge regression to classes, in closed form, as a fixed readout: how well vectors tell classes apart, without anything that is tuned. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint n, dim, classes;
  const float *values;   /* (n, dim) */
  const guint *label;    /* (n), less than classes */
  const guint *group;    /* (n) */
} RvmRidgeData;

/* Each group is left out once, a readout is fitted to all others, and the group's vectors are classified by it. Values are standardised by the mean and
 * the deviation of each column over the fitted vectors; targets are 1 for the class and 0 for others, less their means; the penalty is @penalty times
 * the mean squared length of a vector. @right: (n), TRUE where the class is right. */
void rvm_ridge_cross_validate (const RvmRidgeData *data, double penalty, gboolean *right);

G_END_DECLS
