/* Runs the parts in order. Tracking is done here; the other parts have files of their own. */
#include "evaluate.h"
#include "kernels/error.h"
#include "suite_private.h"

enum { EVERY = 3, FRAMES = 50 };

void
rvm_suite_tell (const RvmSuite *suite, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  if (suite->progress == NULL)
    return;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  suite->progress (text, suite->user_data);
}

gboolean
rvm_suite_check_size (const RvmSuite *suite, guint width, guint height, GError **error)
{
  for (guint i = 0; i < suite->n_models; i++) {
    const guint patch = rvm_model_get_config (suite->models[i].model)->patch;

    if (width % patch || height % patch) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: its patches have %u pixels, expected a size that divides the suite's %u x %u", suite->models[i].name,
          patch, width, height);
      return FALSE;
    }
  }
  return TRUE;
}

char *
rvm_suite_name (const RvmSuiteModel *model, const char *which)
{
  return g_strdup_printf ("%s, %s", model->name, which);
}

GPtrArray *
rvm_suite_list_sequences (const RvmSuite *suite, GError **error)
{
  GPtrArray *sequences = rvm_davis_list (suite->davis, error);

  for (guint i = 0; sequences && i < sequences->len; i++) /* keeps numbers 0, 3, 6... of what was there */
    g_ptr_array_remove_range (sequences, i + 1, MIN (EVERY - 1, sequences->len - i - 1));
  return sequences;
}

GByteArray *
rvm_suite_read_sequence (const RvmDavisSequence *sequence, guint width, guint height, guint least, guint *n_frames, GError **error)
{
  g_autoptr (RvmDavisReader) reader = rvm_davis_reader_new (sequence, width, height, error);
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  g_autoptr (GError) reason = NULL;
  RvmDavisFrame frame;

  if (reader == NULL)
    return NULL;
  *n_frames = 0;
  while (*n_frames < FRAMES && rvm_davis_reader_next (reader, &frame, &reason)) {
    g_byte_array_append (frames, frame.pixels, width * height * 3);
    ++*n_frames;
  }
  if (reason) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return NULL;
  }
  if (*n_frames < least) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "sequence '%s' has %u frames, expected at least %u", sequence->name, *n_frames, least);
    return NULL;
  }
  return g_steal_pointer (&frames);
}

static void
add_scores (const RvmSuite *suite, const RvmScore *scores, guint n, RvmResults *results)
{
  static const char *const baselines[] = { "first mask copied", "raw colours" };
  const guint kinds = RVM_EVALUATE_KINDS (suite->n_models);
  g_autofree double *values = g_new (double, n);

  for (guint kind = 0; kind < kinds; kind++) {
    g_autofree char *name = kind < 2 ? g_strdup (baselines[kind])
        : rvm_suite_name (&suite->models[(kind - 2) / 2], kind % 2 ? "encoder" : "core");

    for (guint i = 0; i < n; i++)
      values[i] = scores[i * kinds + kind].jf;
    rvm_results_add_mean (results, "tracking", "J&F", name, values, n);
  }
}

gboolean
rvm_suite_track (const RvmSuite *suite, RvmResults *results, GError **error)
{
  const RvmEvaluation evaluation = {
    .width = RVM_SUITE_WIDTH, .height = RVM_SUITE_HEIGHT, .frames = FRAMES,
    .propagation = { .context = 20, .radius = 20, .top = 7, .temperature = 0.7, .standardise = TRUE },
  };
  g_autoptr (GPtrArray) sequences = rvm_suite_list_sequences (suite, error);
  g_autofree RvmModel **models = g_new (RvmModel *, suite->n_models);
  g_autofree RvmScore *scores = NULL;
  const guint kinds = RVM_EVALUATE_KINDS (suite->n_models);

  if (sequences == NULL)
    return FALSE;
  for (guint i = 0; i < suite->n_models; i++)
    models[i] = suite->models[i].model;
  scores = g_new0 (RvmScore, sequences->len * kinds);
  for (guint i = 0; i < sequences->len; i++) {
    const RvmDavisSequence *sequence = g_ptr_array_index (sequences, i);

    rvm_suite_tell (suite, "tracking: %s, %u of %u", sequence->name, i + 1, sequences->len);
    if (!rvm_evaluate_sequence (&evaluation, models, suite->n_models, sequence, NULL, scores + i * kinds, error))
      return FALSE;
  }
  add_scores (suite, scores, sequences->len, results);
  return TRUE;
}

RvmResults *
rvm_suite_run (const RvmSuite *suite, GError **error)
{
  const struct {
    const char *name, *option, *folder;
    gboolean (*run) (const RvmSuite *suite, RvmResults *results, GError **error);
  } parts[] = {
    { "tracking", "--davis", suite->davis, rvm_suite_track },
    { "reconstruction", "--davis", suite->davis, rvm_suite_reconstruct },
    { "occlusion", "--davis", suite->davis, rvm_suite_cover },
    { "actions", "--actions", suite->actions, rvm_suite_classify },
    { "retrieval", "--clips", suite->clips, rvm_suite_retrieve },
    { "cost", NULL, "", rvm_suite_time },
  };
  g_autoptr (RvmResults) results = rvm_results_new ();

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    if (parts[i].folder) {
      if (!parts[i].run (suite, results, error)) {
        g_prefix_error (error, "%s: ", parts[i].name);
        return NULL;
      }
    } else {
      g_autofree char *reason = g_strdup_printf ("%s is not given", parts[i].option);

      rvm_results_leave_out (results, parts[i].name, reason);
    }
  }
  return g_steal_pointer (&results);
}
