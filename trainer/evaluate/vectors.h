/* Vectors that stand for clips or parts of them, in kinds that are compared with each other, such as states and grey pixels. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Each of the @dim columns of @values (n, dim) to mean 0 and deviation 1, in place. A constant column becomes 0. */
void rvm_vectors_standardise (float *values, guint n, guint dim);
double rvm_vectors_multiply (const float *a, const float *b, guint dim);
/* 0 if one of them is 0. */
double rvm_vectors_cosine (const float *a, const float *b, guint dim);

/* Vectors of one kind. */
typedef struct {
  char *name;
  guint dim;      /* of a vector */
  GArray *values; /* (element-type float) (n, dim) */
} RvmVectorKind;

GArray *rvm_vector_kinds_new (void); /* (transfer full) (element-type RvmVectorKind) */
/* @name: (transfer full). The kind has no vectors yet. */
void rvm_vector_kinds_add (GArray *kinds, char *name, guint dim);

G_END_DECLS
