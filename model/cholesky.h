/* Cholesky's decomposition of small matrices, in place: a = L L^T. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @a: (n, n), row-major, symmetric and positive definite; its lower half, diagonal included, becomes L. A pivot that rounding has taken to 0 or below counts
 * as the smallest positive one. */
void rvm_cholesky_factorise (double *a, guint n);

/* L L^T x = b, in place. @b has @stride values from one equation to the next. */
void rvm_cholesky_solve (const double *factor, guint n, double *b, guint stride);

/* @factor: L becomes its inverse W, with W^T W the inverse of a; what is above the diagonal becomes 0. */
void rvm_cholesky_invert (double *factor, guint n);

G_END_DECLS
