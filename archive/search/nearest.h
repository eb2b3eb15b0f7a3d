/* How alike one vector is to each of many: exact, in blocks, on all processors. A search is bound by memory: each vector is read once, and a product with
 * one vector is done by the time the next has come, so that neither OpenCL nor BLAS would make it faster. Where columns are made independent of each other,
 * it is bound by processors. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What all vectors have in common, which says nothing about any: mean and deviation of each column, and what columns tell of each other. */
typedef struct {
  guint dim;
  float *mean, *scale; /* scale: 1 / deviation; 0 where all are equal */
  float *whitening;    /* (nullable) (dim, dim): lower triangular W; W^T W is the inverse of the shrunk correlation of the columns */
} RvmStandard;

/* Of @n vectors (n, dim) of halves, or of enough of them, evenly spaced. @videos: how many the vectors are of. Columns are standardised, and if there are more
 * than 5 videos also made independent: a share of 5 / @videos of their correlations is given up, because moments of one video are much alike, and a few
 * videos do not tell how columns go together. */
RvmStandard *rvm_standard_new (const guint16 *halves, gsize n, guint dim, gsize videos);
void rvm_standard_free (RvmStandard *standard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmStandard, rvm_standard_free)

/* The scalar product of two vectors of halves, without infinities and NaN. */
float rvm_nearest_product (const guint16 *a, const guint16 *b, guint dim);

/* @floats (n, dim): @halves as rvm_nearest_score() compares them: with @standard, standardised (and whitened, if it has that) and of length 1; without it,
 * as they are. */
void rvm_nearest_convert (const guint16 *halves, gsize n, guint dim, const RvmStandard *standard, float *floats);
/* (transfer full): the same of one vector of floats. */
float *rvm_nearest_prepare (const RvmStandard *standard, const float *query, guint dim);

/* @scores[n]: with @standard, the cosine of the vectors so converted; without it, the scalar product. @query: dim floats. */
void rvm_nearest_score (const guint16 *halves, gsize n, guint dim, const RvmStandard *standard, const float *query, float *scores);

G_END_DECLS
