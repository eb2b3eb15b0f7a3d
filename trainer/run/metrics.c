/* metrics.jsonl: {"step", "loss", "loss_all", "mean_colour", "copy", "gradient_norm", "rate", "waited", "time"}, and with a loss of
 * places {"matched", "places", "found"} and of objects {"known", "objects"} where a batch has any. */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/error.h"

enum {
  RECENT = 50,    /* steps */
  PENDING = 4096, /* bytes that are collected before they are written */
};

struct _RvmMetrics {
  char *path;
  int file;
  gsize written;    /* bytes of whole lines in it */
  GString *pending; /* lines after those */
  GArray *values;   /* RvmMetric */
};

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

/* How many bytes of @text are lines up to @step. A line that cannot be read is kept if one that can follows. */
static gsize
read_lines (RvmMetrics *metrics, const char *text, gsize size, guint64 step)
{
  const char *line = text, *end;
  gsize kept = 0;
  RvmMetric metric;

  for (; (end = memchr (line, '\n', text + size - line)); line = end + 1) {
    if (!parse_line (line, end - line, &metric))
      continue;
    if (metric.step > step)
      break;
    g_array_append_val (metrics->values, metric);
    kept = end + 1 - text;
  }
  return kept;
}

RvmMetrics *
rvm_metrics_open (const char *folder, guint64 step, GError **error)
{
  RvmMetrics *metrics = g_new0 (RvmMetrics, 1);
  g_autoptr (GError) reason = NULL;
  g_autofree char *text = NULL;
  gsize size;

  metrics->path = g_build_filename (folder, "metrics.jsonl", NULL);
  metrics->pending = g_string_new (NULL);
  metrics->values = g_array_new (FALSE, FALSE, sizeof (RvmMetric));
  metrics->file = -1;
  if (g_file_get_contents (metrics->path, &text, &size, &reason))
    metrics->written = read_lines (metrics, text, size, step);
  else if (!g_error_matches (reason, G_FILE_ERROR, G_FILE_ERROR_NOENT)) { /* otherwise lines that cannot be read now would be lost */
    g_propagate_error (error, g_steal_pointer (&reason));
    rvm_metrics_free (metrics);
    return NULL;
  }
  metrics->file = open (metrics->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (metrics->file < 0 || ftruncate (metrics->file, metrics->written) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", metrics->path, g_strerror (errno));
    rvm_metrics_free (metrics);
    return NULL;
  }
  return metrics;
}

void
rvm_metrics_free (RvmMetrics *metrics)
{
  if (metrics->file >= 0) {
    rvm_metrics_flush (metrics, NULL);
    close (metrics->file);
  }
  g_string_free (metrics->pending, TRUE);
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
  g_string_append_printf (metrics->pending, "{\"step\":%" G_GUINT64_FORMAT, metric->step);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    g_string_append_printf (metrics->pending, ",\"%s\":%s", names[i], g_ascii_formatd (number, sizeof number, "%.9g", values[i]));
  if (metric->matched > 0) {
    g_string_append_printf (metrics->pending, ",\"matched\":%.0f", metric->matched);
    g_string_append_printf (metrics->pending, ",\"places\":%s", g_ascii_formatd (number, sizeof number, "%.9g", metric->places / metric->matched));
    g_string_append_printf (metrics->pending, ",\"found\":%s", g_ascii_formatd (number, sizeof number, "%.9g", metric->found / metric->matched));
  }
  if (metric->known > 0) {
    g_string_append_printf (metrics->pending, ",\"known\":%.0f", metric->known);
    g_string_append_printf (metrics->pending, ",\"objects\":%s", g_ascii_formatd (number, sizeof number, "%.9g", metric->objects / metric->known));
  }
  g_string_append_printf (metrics->pending, ",\"time\":%" G_GINT64_FORMAT "}\n", g_get_real_time () / G_USEC_PER_SEC);
  if (metrics->pending->len > PENDING)
    rvm_metrics_flush (metrics, NULL); /* an error is reported with the next checkpoint */
}

gboolean
rvm_metrics_flush (RvmMetrics *metrics, GError **error)
{
  gsize done = 0;

  while (done < metrics->pending->len) {
    const gssize count = pwrite (metrics->file, metrics->pending->str + done, metrics->pending->len - done, metrics->written + done);

    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", metrics->path, g_strerror (errno));
      /* If this fails too, the incomplete line is overwritten by the next call, or dropped when the run is resumed. */
      (void) !ftruncate (metrics->file, metrics->written);
      return FALSE;
    }
    done += count;
  }
  metrics->written += done;
  g_string_truncate (metrics->pending, 0);
  return TRUE;
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
