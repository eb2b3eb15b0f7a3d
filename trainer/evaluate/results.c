/* Results are kept in the order in which they are added. */
#include "results.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

struct _RvmResults {
  GArray *results;  /* RvmResult */
  GArray *left_out; /* RvmLeftOut */
};

static void
result_clear (gpointer data)
{
  RvmResult *result = data;

  g_free (result->part);
  g_free (result->measure);
  g_free (result->answer);
}

static void
left_out_clear (gpointer data)
{
  RvmLeftOut *left_out = data;

  g_free (left_out->part);
  g_free (left_out->reason);
}

RvmResults *
rvm_results_new (void)
{
  RvmResults *results = g_new0 (RvmResults, 1);

  results->results = g_array_new (FALSE, FALSE, sizeof (RvmResult));
  results->left_out = g_array_new (FALSE, FALSE, sizeof (RvmLeftOut));
  g_array_set_clear_func (results->results, result_clear);
  g_array_set_clear_func (results->left_out, left_out_clear);
  return results;
}

void
rvm_results_free (RvmResults *results)
{
  if (results == NULL)
    return;
  g_array_unref (results->results);
  g_array_unref (results->left_out);
  g_free (results);
}

static void
add (RvmResults *results, const char *part, const char *measure, const char *answer, double value, double error, guint n)
{
  const RvmResult result = { g_strdup (part), g_strdup (measure), g_strdup (answer), value, error, n };

  g_array_append_val (results->results, result);
}

void
rvm_results_add_mean (RvmResults *results, const char *part, const char *measure, const char *answer, const double *values, guint n)
{
  double mean = 0, squares = 0;

  for (guint i = 0; i < n; i++)
    mean += values[i] / n;
  for (guint i = 0; i < n; i++)
    squares += (values[i] - mean) * (values[i] - mean);
  add (results, part, measure, answer, mean, n > 1 ? sqrt (squares / (n - 1) / n) : 0, n);
}

void
rvm_results_add_share (RvmResults *results, const char *part, const char *measure, const char *answer, guint right, guint n)
{
  const double share = (double) right / n;

  add (results, part, measure, answer, share, sqrt (share * (1 - share) / n), n);
}

void
rvm_results_leave_out (RvmResults *results, const char *part, const char *reason)
{
  const RvmLeftOut left_out = { g_strdup (part), g_strdup (reason) };

  g_array_append_val (results->left_out, left_out);
}

guint
rvm_results_get_n (const RvmResults *results)
{
  return results->results->len;
}

const RvmResult *
rvm_results_get (const RvmResults *results, guint index)
{
  return &g_array_index (results->results, RvmResult, index);
}

guint
rvm_results_get_n_left_out (const RvmResults *results)
{
  return results->left_out->len;
}

const RvmLeftOut *
rvm_results_get_left_out (const RvmResults *results, guint index)
{
  return &g_array_index (results->left_out, RvmLeftOut, index);
}

char *
rvm_results_to_text (const RvmResults *results)
{
  GString *text = g_string_new (NULL);
  const RvmResult *before = NULL;

  for (guint i = 0; i < rvm_results_get_n (results); i++) {
    const RvmResult *result = rvm_results_get (results, i);

    if (before == NULL || strcmp (before->part, result->part) != 0 || strcmp (before->measure, result->measure) != 0)
      g_string_append_printf (text, "%s%s: %s (n = %u)\n", before ? "\n" : "", result->part, result->measure, result->n);
    g_string_append_printf (text, "  %-48s %9.4f +- %.4f\n", result->answer, result->value, result->error);
    before = result;
  }
  for (guint i = 0; i < rvm_results_get_n_left_out (results); i++) {
    const RvmLeftOut *left_out = rvm_results_get_left_out (results, i);

    g_string_append_printf (text, "%sleft out: %s: %s\n", i || before == NULL ? "" : "\n", left_out->part, left_out->reason);
  }
  return g_string_free (text, FALSE);
}

static void
add_string (JsonBuilder *builder, const char *member, const char *value)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_string_value (builder, value);
}

static void
add_number (JsonBuilder *builder, const char *member, double value)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_double_value (builder, value);
}

char *
rvm_results_to_json (const RvmResults *results)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "suite");
  json_builder_add_int_value (builder, 1);
  json_builder_set_member_name (builder, "results");
  json_builder_begin_array (builder);
  for (guint i = 0; i < rvm_results_get_n (results); i++) {
    const RvmResult *result = rvm_results_get (results, i);

    json_builder_begin_object (builder);
    add_string (builder, "part", result->part);
    add_string (builder, "measure", result->measure);
    add_string (builder, "answer", result->answer);
    add_number (builder, "value", result->value);
    add_number (builder, "error", result->error);
    json_builder_set_member_name (builder, "n");
    json_builder_add_int_value (builder, result->n);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "left_out");
  json_builder_begin_array (builder);
  for (guint i = 0; i < rvm_results_get_n_left_out (results); i++) {
    json_builder_begin_object (builder);
    add_string (builder, "part", rvm_results_get_left_out (results, i)->part);
    add_string (builder, "reason", rvm_results_get_left_out (results, i)->reason);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}
