/* Vectors that are compared by cosines. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Each of the @dim columns of @values (n, dim) to mean 0 and deviation 1, in place. A constant column becomes 0. */
void rvm_vectors_standardise (float *values, guint n, guint dim);
double rvm_vectors_multiply (const float *a, const float *b, guint dim);
/* 0 if one of them is 0. */
double rvm_vectors_cosine (const float *a, const float *b, guint dim);

G_END_DECLS
