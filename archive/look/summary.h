/* What a picture looks like as a whole, in two numbers for each channel of its features. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @patches: (n, dim), at least one. @summary: (2, dim), their mean and their standard deviation from it. */
void rvm_summary_measure (const float *patches, gsize n, gsize dim, float *summary);

G_END_DECLS
