/* RvmMetrics: the figures of a run, a line of JSON per step in metrics.jsonl, and the last of them in memory. */
#pragma once

#include "plot.h"

G_BEGIN_DECLS

typedef struct _RvmMetrics RvmMetrics;

/* Reads what is there and drops lines after @step, which belong to steps that were lost, and a torn end. */
RvmMetrics *rvm_metrics_open (const char *folder, guint64 step, GError **error);
void rvm_metrics_free (RvmMetrics *metrics);

void rvm_metrics_add (RvmMetrics *metrics, const RvmMetric *metric, double gradient_norm, double rate, double waited);
/* Until this succeeds lines may be in memory only. After a failure the file has no torn line, and the next call writes what is missing. */
gboolean rvm_metrics_flush (RvmMetrics *metrics, GError **error);
double rvm_metrics_get_recent (const RvmMetrics *metrics); /* mean masked loss of the last steps */
gboolean rvm_metrics_plot (const RvmMetrics *metrics, const char *path, GError **error);

G_END_DECLS
