/* The table of a dense readout, for people. */
#include "dense_report.h"

#include <math.h>

static void
row_clear (gpointer data)
{
  RvmDenseRow *row = data;

  g_free (row->name);
  rvm_dense_measures_free (row->measures);
}

RvmDenseReport *
rvm_dense_report_new (void)
{
  RvmDenseReport *report = g_new0 (RvmDenseReport, 1);

  report->rows = g_array_new (FALSE, TRUE, sizeof (RvmDenseRow));
  g_array_set_clear_func (report->rows, row_clear);
  return report;
}

void
rvm_dense_report_free (RvmDenseReport *report)
{
  if (report == NULL)
    return;
  g_array_unref (report->rows);
  g_free (report->split);
  g_free (report->choice);
  g_clear_pointer (&report->arrays, g_ptr_array_unref);
  g_free (report);
}

/* The readout less each other row, on the same pictures. */
static void
format_gains (const RvmDenseReport *report, GString *text)
{
  const RvmDenseRow *last = &g_array_index (report->rows, RvmDenseRow, report->rows->len - 1);

  g_string_append_printf (text, "\n%s of the readout less that of\n", rvm_dense_measure_name (&report->kind, 0));
  for (guint i = 0; i + 1 < report->rows->len; i++) {
    const RvmDenseRow *row = &g_array_index (report->rows, RvmDenseRow, i);

    g_string_append_printf (text, "  %-42s %+.3f +- %.3f\n", row->name,
                            rvm_dense_measure_get (last->measures, &report->kind, 0) - rvm_dense_measure_get (row->measures, &report->kind, 0),
                            rvm_dense_measure_get_error (last->measures, row->measures, &report->kind, 0));
  }
}

char *
rvm_dense_report_format (const RvmDenseReport *report, const char *const *classes)
{
  GString *text = g_string_new (NULL);
  const RvmDenseRow *last = &g_array_index (report->rows, RvmDenseRow, report->rows->len - 1);

  g_string_append_printf (text, "%u pictures to learn from; measured on %u that were held out, %s\n\n%-44s %-15s %-15s %s\n", report->learned,
                          report->held_out, report->split, "", rvm_dense_measure_name (&report->kind, 0),
                          rvm_dense_measure_name (&report->kind, 1), "pictures");
  for (guint i = 0; i < report->rows->len; i++) {
    const RvmDenseRow *row = &g_array_index (report->rows, RvmDenseRow, i);

    g_string_append_printf (text, "%-44s", row->name);
    for (guint which = 0; which < 2; which++)
      g_string_append_printf (text, " %.3f +- %.3f ", rvm_dense_measure_get (row->measures, &report->kind, which),
                              rvm_dense_measure_get_error (row->measures, NULL, &report->kind, which));
    g_string_append_printf (text, " %u\n", row->measures->n);
  }
  g_string_append_printf (text, "\n%s\n", report->choice);
  format_gains (report, text);
  if (report->near)
    g_string_append (text, "\nall pictures are of one group, so what was held out is like what was learned: of other places, expect less\n");
  if (!report->kind.depth)
    g_string_append (text, "\nintersection over union of the readout, by label:\n");
  for (guint c = 0; !report->kind.depth && c < report->kind.classes; c++) {
    const double iou = rvm_dense_measures_get_class_iou (last->measures, c);

    if (isnan (iou))
      g_string_append_printf (text, "%-20s there is none in the pictures that were held out\n", classes[c]);
    else
      g_string_append_printf (text, "%-20s %.3f\n", classes[c], iou);
  }
  return g_string_free (text, FALSE);
}
