/* How well classes were told apart: accuracy, the mean over classes, their standard errors, and which class was taken for which. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint n, classes;
  guint *confusion; /* (classes, classes): true class, answer */
  double accuracy, accuracy_error;
  double mean_class, mean_class_error; /* over the classes that there are clips of */
} RvmMeasures;

/* @scores: (n, classes): the answer is the largest, the first of equals. */
RvmMeasures *rvm_measures_new (const double *scores, const guint *label, guint n, guint classes);
void rvm_measures_free (RvmMeasures *measures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMeasures, rvm_measures_free)

/* (transfer full): rows are the true classes. */
char *rvm_measures_format_confusion (const RvmMeasures *measures, const char *const *classes);
/* The same as a picture. */
gboolean rvm_measures_draw_confusion (const RvmMeasures *measures, const char *const *classes, const char *path, GError **error);

G_END_DECLS
