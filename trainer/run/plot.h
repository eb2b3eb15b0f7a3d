/* The curve of a run's loss. PNG, written to a temporary file and renamed. */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

/* One line of metrics.jsonl. The last two are baselines without learning: see step/baseline.h. */
typedef struct {
  guint64 step;
  double masked, all; /* RvmLoss */
  double mean_colour, copy;
  double matched, places, found; /* sums over the batch: patches that have a place, their losses, how many were found; 0 without a loss of places */
  double known, objects;         /* sums over the batch: patches whose object is known, their losses; 0 without a loss of objects */
} RvmMetric;

gboolean rvm_plot_losses (const char *path, const RvmMetric *metrics, gsize count, GError **error);

gboolean rvm_plot_write_png (cairo_surface_t *surface, const char *path, GError **error);

G_END_DECLS
