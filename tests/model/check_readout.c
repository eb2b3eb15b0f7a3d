/* check_readout stream READOUT STATES ROWS COLUMNS OUT: pushes each state of STATES (float32, one after the other) into a stream of the readout, and
 * writes to OUT for each answer: the number of states that it saw, its values, its logits if there are any; float32. A state whose first value is 1e30
 * resets the stream instead.
 *
 * check_readout batch READOUT STATES WINDOWS LENGTH TOKENS OUT: the outputs for WINDOWS windows of LENGTH states each, at once.
 *
 * Both run twice, and fail unless both runs give the same bytes.
 *
 * check_readout load READOUT...: prints for each file "loaded" or why it cannot be. */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/ops/linear.h"
#include "model/readout/readout_private.h"

static char *device_name, *gemm, *precision;

static const GOptionEntry entries[] = {
  { "device", 'd', 0, G_OPTION_ARG_STRING, &device_name, "OpenCL device: index or part of its name", "DEVICE" },
  { "gemm", 'g', 0, G_OPTION_ARG_STRING, &gemm, "auto, native or clblast", "PROVIDER" },
  { "precision", 'p', 0, G_OPTION_ARG_STRING, &precision, "f32, f16 or bf16 storage of weights", "PRECISION" },
  G_OPTION_ENTRY_NULL,
};

static void
append (GByteArray *out, const float *values, gsize count)
{
  g_byte_array_append (out, (const guint8 *) values, count * sizeof *values);
}

static gboolean
run_stream (RvmReadout *readout, const float *states, gsize count, char **args, GByteArray *out, GError **error)
{
  const guint rows = strtoul (args[0], NULL, 10), columns = strtoul (args[1], NULL, 10);
  const gsize size = (1 + rows * columns) * (gsize) rvm_readout_get_dim (readout);
  g_autoptr (RvmReadoutStream) stream = rvm_readout_stream_new (readout, rows, columns, error);
  const RvmReadoutAnswer *answer;

  if (stream == NULL)
    return FALSE;
  for (gsize i = 0; i + size <= count; i += size) {
    if (states[i] == 1e30f) {
      rvm_readout_stream_reset (stream);
      continue;
    }
    if (!rvm_readout_stream_push (stream, states + i, &answer, error))
      return FALSE;
    if (answer) {
      const float seen = answer->states;
      const gsize values = (gsize) answer->rows * answer->columns * answer->channels;

      append (out, &seen, 1);
      append (out, answer->values, values);
      if (answer->logits)
        append (out, answer->logits, values);
    }
  }
  g_print ("%" G_GUINT64_FORMAT " bytes\n", rvm_readout_stream_get_bytes (stream));
  return TRUE;
}

static gboolean
run_batch (RvmReadout *readout, const float *states, char **args, GByteArray *out, GError **error)
{
  const RvmAttentionReadout *net = readout->network;
  const guint windows = strtoul (args[0], NULL, 10), length = strtoul (args[1], NULL, 10), tokens = strtoul (args[2], NULL, 10);
  const RvmReadoutShape shape = { windows, length, tokens, net->config.queries };
  g_autoptr (RvmArena) arena = rvm_arena_new (readout->device);
  g_autoptr (RvmQueue) queue = rvm_queue_new (readout->device, FALSE, error);
  const gsize rows = (gsize) windows * shape.queries, values = (gsize) windows * length * tokens * net->config.dim;
  g_autofree float *outputs = g_new (float, rows * net->config.outputs);
  g_autofree guint32 *age = g_new (guint32, windows * length), *query = g_new (guint32, rows);
  RvmBuffer *states_there = rvm_arena_take (arena, values, 1, "states"), *age_there = rvm_arena_take (arena, windows * length, 1, "ages");
  RvmBuffer *query_there = rvm_arena_take (arena, rows, 1, "queries");
  RvmReadoutActivations act;

  rvm_readout_activations_take (&act, arena, &net->config, &shape);
  if (queue == NULL || !rvm_arena_finish (arena, error))
    return FALSE;
  for (guint i = 0; i < windows * length; i++)
    age[i] = length - 1 - i % length;
  for (guint i = 0; i < rows; i++)
    query[i] = i % shape.queries;
  rvm_queue_write (queue, states_there, 0, states, values * sizeof (float));
  rvm_queue_write (queue, age_there, 0, age, windows * length * sizeof *age);
  rvm_queue_write (queue, query_there, 0, query, rows * sizeof *query);
  rvm_attention_readout_forward (queue, net, &(RvmReadoutInput){ .states = states_there, .age = age_there, .query_of_row = query_there }, &act, &shape);
  rvm_queue_read (queue, act.outputs, 0, outputs, rows * net->config.outputs * sizeof (float));
  if (!rvm_queue_finish (queue, error))
    return FALSE;
  append (out, outputs, rows * net->config.outputs);
  return TRUE;
}

static gboolean
load (char **paths, GError **error)
{
  g_autoptr (RvmDevice) device = rvm_device_open (device_name, NULL, error);

  for (guint i = 0; device && paths[i]; i++) {
    g_autoptr (GError) reason = NULL;
    g_autoptr (RvmReadout) readout = rvm_readout_new_from_file (paths[i], device, NULL, &reason);

    g_print ("%s\n", readout ? "loaded" : reason->message);
  }
  return device != NULL;
}

static gboolean
run (int argc, char **argv, GError **error)
{
  const gboolean stream = argc == 7 && strcmp (argv[1], "stream") == 0, batch = argc == 8 && strcmp (argv[1], "batch") == 0;
  RvmReadoutOptions options = { 0 };
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (RvmDevice) device = NULL;
  g_autoptr (RvmReadout) readout = NULL;
  g_autofree char *states = NULL, *text = NULL;
  gsize size;

  if (argc > 1 && strcmp (argv[1], "load") == 0)
    return load (argv + 2, error);
  if (!stream && !batch) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "expected stream or batch and its arguments");
    return FALSE;
  }
  if ((gemm && !rvm_gemm_from_name (gemm, &options.gemm)) || (precision && !rvm_element_from_name (precision, &options.precision))) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "unknown --gemm or --precision");
    return FALSE;
  }
  device = rvm_device_open (device_name, NULL, error);
  readout = device ? rvm_readout_new_from_file (argv[2], device, &options, error) : NULL;
  if (readout == NULL || !g_file_get_contents (argv[3], &states, &size, error))
    return FALSE;
  text = rvm_readout_info_describe (rvm_readout_get_info (readout));
  g_print ("%s", text);
  for (guint i = 0; i < 2; i++)
    if (stream ? !run_stream (readout, (const float *) states, size / sizeof (float), argv + 4, out, error)
               : !run_batch (readout, (const float *) states, argv + 4, out, error))
      return FALSE;
  g_byte_array_set_size (out, out->len / 2);
  if (memcmp (out->data, out->data + out->len, out->len) != 0) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_DEVICE, "the second run gave other bytes");
    return FALSE;
  }
  return g_file_set_contents (argv[argc - 1], (const char *) out->data, out->len, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("stream|batch READOUT STATES SIZES OUT, or load READOUT... - run readouts");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (g_option_context_parse (context, &argc, &argv, &error) && run (argc, argv, &error))
    return 0;
  g_printerr ("check_readout: %s\n", error->message);
  return 1;
}
