/* RvmResults: numbers of an evaluation, each with its standard error and how many measurements it rests on, grouped by part and measure; and the parts
 * that were left out, with the reason. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *part;    /* "tracking" */
  char *measure; /* "J&F" */
  char *answer;  /* what was measured: a baseline, or a model and which of its features */
  double value, error; /* @error: the standard error; 0 if @n is 1 */
  guint n;       /* sequences, clips or frames */
} RvmResult;

typedef struct {
  char *part, *reason;
} RvmLeftOut;

typedef struct _RvmResults RvmResults;

RvmResults *rvm_results_new (void);
void rvm_results_free (RvmResults *results);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmResults, rvm_results_free)

/* The mean of @values, one for each sequence, clip or frame. */
void rvm_results_add_mean (RvmResults *results, const char *part, const char *measure, const char *answer, const double *values, guint n);
/* The share @right / @n, with the standard error of a share. */
void rvm_results_add_share (RvmResults *results, const char *part, const char *measure, const char *answer, guint right, guint n);
void rvm_results_leave_out (RvmResults *results, const char *part, const char *reason);

guint rvm_results_get_n (const RvmResults *results);
const RvmResult *rvm_results_get (const RvmResults *results, guint index); /* in the order in which they were added */
guint rvm_results_get_n_left_out (const RvmResults *results);
const RvmLeftOut *rvm_results_get_left_out (const RvmResults *results, guint index);

char *rvm_results_to_text (const RvmResults *results); /* (transfer full): a table for each measure */
char *rvm_results_to_json (const RvmResults *results); /* (transfer full): one line */

G_END_DECLS
