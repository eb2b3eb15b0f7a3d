/* faults_readout [--every N] [--gemm NAME] [--precision NAME] READOUT: a readout, from its file to the answers for three states, each of its OpenCL calls
 * failing in turn. The result is a hash of the answers. */
#include <stdlib.h>

#include "faults.h"
#include "kernels/ops/linear.h"
#include "model/readout/readout.h"

#define ROWS 2
#define COLUMNS 3
#define STATES 3

static RvmReadoutOptions options;

static guint64
run_readout (gpointer user_data, GError **error)
{
  g_autoptr (RvmDevice) device = rvm_device_open (NULL, NULL, error);
  g_autoptr (RvmReadout) readout = device ? rvm_readout_new_from_file (user_data, device, &options, error) : NULL;
  g_autoptr (RvmReadoutStream) stream = readout ? rvm_readout_stream_new (readout, ROWS, COLUMNS, error) : NULL;
  g_autofree float *features = NULL;
  const RvmReadoutAnswer *answer;
  guint64 hash = 1;
  gsize size;

  if (stream == NULL)
    return 0;
  size = (1 + ROWS * COLUMNS) * (gsize) rvm_readout_get_dim (readout);
  features = g_new (float, size);
  for (guint state = 0; state < STATES; state++) {
    for (gsize i = 0; i < size; i++)
      features[i] = (float) ((i + state * size) * 2654435761u % 1000) / 500 - 1;
    if (!rvm_readout_stream_push (stream, features, &answer, error))
      return 0;
    for (gsize i = 0; i < (gsize) answer->rows * answer->columns * answer->channels; i++)
      hash = hash * 31 + (guint64) (gint64) (answer->values[i] * 1e6f);
  }
  cl_faults_close ();
  return hash;
}

int
main (int argc, char **argv)
{
  g_autofree char *gemm = NULL, *precision = NULL;
  gint every = 1;
  const GOptionEntry entries[] = {
    { "every", 0, 0, G_OPTION_ARG_INT, &every, "fail every N-th call (1); 0: of each place in the program that calls, the first and the last", "N" },
    { "gemm", 0, 0, G_OPTION_ARG_STRING, &gemm, RVM_GEMM_NAMES, "NAME" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, RVM_ELEMENT_NAMES, "NAME" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("READOUT - fail every OpenCL call of a readout");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 || every < 0 || (gemm && !rvm_gemm_from_name (gemm, &options.gemm))
      || (precision && !rvm_element_from_name (precision, &options.precision))) {
    g_printerr ("faults_readout: %s\n", error ? error->message : "expected READOUT, --gemm " RVM_GEMM_NAMES ", --precision " RVM_ELEMENT_NAMES);
    return 2;
  }
  return faults_run ("readout", run_readout, argv[1], every) ? EXIT_FAILURE : EXIT_SUCCESS;
}
