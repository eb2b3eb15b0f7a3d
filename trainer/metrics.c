/* metrics.jsonl: {"step", "loss", "loss_all", "mean_colour", "copy", "gradient_norm", "rate", "waited", "time"}. */
#include "metrics.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/error.h"

#define RECENT 50 /* steps */

struct _RvmMetrics {
  char *path;
  FILE *file;
  GArray *values; /* RvmMetric */
};

/* A line that is not a step's (a torn last line, for one) ends the reading. */
static gboolean
parse_line (const char *line, gsize length, RvmMetric *metric)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object;

  if (!json_parser_load_from_data (parser, line, length, NULL) || !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return FALSE;
  object = json_node_get_object (json_parser_get_root (parser));
  if (!json_object_has_member (object, "step"))
    return FALSE;
  *metric = (RvmMetric){
    .step = json_object_get_int_member (object, "step"),
    .masked = json_object_get_double_member_with_default (object, "loss", 0),
    .all = json_object_get_double_member_with_default (object, "loss_all", 0),
    .mean_colour = json_object_get_double_member_with_default (object, "mean_colour", 0),
    .copy = json_object_get_double_member_with_default (object, "copy", 0),
  };
  return TRUE;
}

/* How many bytes of @text are lines up to @step. */
static gsize
read_lines (RvmMetrics *metrics, const char *text, guint64 step)
{
  const char *line = text, *end;
  RvmMetric metric;

  while ((end = strchr (line, '\n')) && parse_line (line, end - line, &metric) && metric.step <= step) {
    g_array_append_val (metrics->values, metric);
    line = end + 1;
  }
  return line - text;
}

RvmMetrics *
rvm_metrics_open (const char *folder, guint64 step, GError **error)
{
  RvmMetrics *metrics = g_new0 (RvmMetrics, 1);
  g_autofree char *text = NULL;
  gsize kept = 0;

  metrics->path = g_build_filename (folder, "metrics.jsonl", NULL);
  metrics->values = g_array_new (FALSE, FALSE, sizeof (RvmMetric));
  if (g_file_get_contents (metrics->path, &text, NULL, NULL))
    kept = read_lines (metrics, text, step);
  metrics->file = fopen (metrics->path, "a");
  if (metrics->file == NULL || ftruncate (fileno (metrics->file), kept) != 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: cannot be written: %s", metrics->path, g_strerror (errno));
    rvm_metrics_free (metrics);
    return NULL;
  }
  return metrics;
}

void
rvm_metrics_free (RvmMetrics *metrics)
{
  if (metrics->file)
    fclose (metrics->file);
  g_array_unref (metrics->values);
  g_free (metrics->path);
  g_free (metrics);
}

void
rvm_metrics_add (RvmMetrics *metrics, const RvmMetric *metric, double gradient_norm, double rate, double waited)
{
  const double values[] = { metric->masked, metric->all, metric->mean_colour, metric->copy, gradient_norm, rate, waited };
  static const char *const names[] = { "loss", "loss_all", "mean_colour", "copy", "gradient_norm", "rate", "waited" };
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_array_append_val (metrics->values, *metric);
  fprintf (metrics->file, "{\"step\":%" G_GUINT64_FORMAT, metric->step);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    fprintf (metrics->file, ",\"%s\":%s", names[i], g_ascii_formatd (number, sizeof number, "%.9g", values[i]));
  fprintf (metrics->file, ",\"time\":%" G_GINT64_FORMAT "}\n", g_get_real_time () / G_USEC_PER_SEC);
}

gboolean
rvm_metrics_flush (RvmMetrics *metrics, GError **error)
{
  if (fflush (metrics->file) == 0 && !ferror (metrics->file))
    return TRUE;
  g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: cannot be written: %s", metrics->path, g_strerror (errno));
  return FALSE;
}

double
rvm_metrics_get_recent (const RvmMetrics *metrics)
{
  const guint n = MIN (metrics->values->len, RECENT);
  double sum = 0;

  for (guint i = 0; i < n; i++)
    sum += g_array_index (metrics->values, RvmMetric, metrics->values->len - 1 - i).masked;
  return n ? sum / n : 0;
}

gboolean
rvm_metrics_plot (const RvmMetrics *metrics, const char *path, GError **error)
{
  return rvm_plot_losses (path, (const RvmMetric *) metrics->values->data, metrics->values->len, error);
}
