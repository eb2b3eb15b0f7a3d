/* RvmMetrics: the figures of each step of a run, as lines of JSON in metrics.jsonl, and in memory for the curve. */
#pragma once

#include "plot.h"

G_BEGIN_DECLS

typedef struct _RvmMetrics RvmMetrics;

/* Reads the file, and drops an incomplete last line and lines of steps after @step, which were lost. */
RvmMetrics *rvm_metrics_open (const char *folder, guint64 step, GError **error);
void rvm_metrics_free (RvmMetrics *metrics);

void rvm_metrics_add (RvmMetrics *metrics, const RvmMetric *metric, double gradient_norm, double rate, double waited);
/* Until this succeeds, lines may be in memory only. After an error the file has no incomplete line, and the next call writes what is missing. */
gboolean rvm_metrics_flush (RvmMetrics *metrics, GError **error);
double rvm_metrics_get_recent (const RvmMetrics *metrics); /* mean masked loss of the last steps */
gboolean rvm_metrics_plot (const RvmMetrics *metrics, const char *path, GError **error);

G_END_DECLS
