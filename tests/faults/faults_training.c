/* faults_training [--every N] [--gemm NAME] [--precision NAME] WEIGHTS: a training step, from the weight file to the updated weights, each of its OpenCL calls
 * failing in turn. The result is a hash of the loss and the gradients' norm. */
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "trainer/step/adamw.h"
#include "trainer/step/step.h"

typedef struct {
  const char *weights;
  RvmModelOptions options;
} Job;

#define SIDE 32 /* pixels: 2 x 2 patches of tiny */
#define SAMPLES 2
#define SOURCES 2
#define TARGETS 1
#define KEPT 1

static guint64
run_step (gpointer user_data, GError **error)
{
  static const guint32 gaps[SAMPLES * TARGETS] = { 4, 7 }, visible[SAMPLES * TARGETS * KEPT] = { 2, 1 };
  const RvmOptimiserOptions options = { .b1 = 0.9, .b2 = 0.95, .epsilon = 1e-8, .decay = 0.05, .clip_norm = 0.5 };
  const RvmStepShape shape = { .rows = 2, .columns = 2, .samples = SAMPLES, .sources = SOURCES, .targets = TARGETS, .kept = KEPT };
  const Job *job = user_data;
  g_autofree guint8 *pixels = g_malloc (SAMPLES * SOURCES * SIDE * SIDE * 3);
  const RvmBatch batch = { .sources = SOURCES, .source = pixels, .target = pixels, .gaps = gaps, .visible = visible };
  g_autoptr (RvmModel) model = rvm_model_load_trainable (job->weights, &job->options, error);
  g_autoptr (RvmStep) step = model ? rvm_step_new (model, &shape, FALSE, FALSE, error) : NULL;
  g_autoptr (RvmOptimiser) optimiser =
      step ? rvm_optimiser_new (rvm_step_get_gradients (step), &options, rvm_step_get_queue (step), error) : NULL;
  RvmLoss loss;
  double norm;
  guint64 bits[2];

  for (guint i = 0; i < SAMPLES * SOURCES * SIDE * SIDE * 3; i++)
    pixels[i] = i * 2654435761u >> 24;
  if (optimiser == NULL)
    return 0;
  rvm_gradients_reset (rvm_step_get_gradients (step));
  rvm_step_refresh (step);
  if (!rvm_step_backward (step, &batch, 1, &loss, error) || !rvm_optimiser_update (optimiser, 1e-3, &norm, error))
    return 0;
  cl_faults_close ();
  memcpy (&bits[0], &loss.masked, sizeof bits[0]);
  memcpy (&bits[1], &norm, sizeof bits[1]);
  return bits[0] ^ bits[1] * 31;
}

int
main (int argc, char **argv)
{
  g_autofree char *gemm = NULL, *precision = NULL;
  gint every = 1;
  const GOptionEntry entries[] = {
    { "every", 0, 0, G_OPTION_ARG_INT, &every, "fail every N-th call (1); 0: of each place in the program that calls, the first and the last", "N" },
    { "gemm", 0, 0, G_OPTION_ARG_STRING, &gemm, RVM_GEMM_NAMES, "NAME" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "of the operands of products, f32 or bf16", "NAME" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS - fail every OpenCL call of a training step");
  g_autoptr (GError) error = NULL;
  Job job = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 || every < 0) {
    g_printerr ("faults_training: %s\n", error ? error->message : "expected WEIGHTS");
    return 2;
  }
  job.weights = argv[1];
  if (precision && !rvm_element_from_name (precision, &job.options.precision)) {
    g_printerr ("--precision %s: expected " RVM_ELEMENT_NAMES "\n", precision);
    return 2;
  }
  if (gemm && !rvm_gemm_from_name (gemm, &job.options.gemm)) {
    g_printerr ("--gemm %s: expected " RVM_GEMM_NAMES "\n", gemm);
    return 2;
  }
  return faults_run ("training step", run_step, &job, every) ? EXIT_FAILURE : EXIT_SUCCESS;
}
