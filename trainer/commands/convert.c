/* rvm-cl-train convert IN OUT: the same weights in another file format or type. */
#include <string.h>

#include "commands.h"
#include "kernels/error.h"
#include "model/config.h"
#include "program/interrupts.h"

static gboolean
copy_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  RvmWeights *weights = user_data;

  if (rvm_interrupts_count ()) {
    rvm_error_set (error, RVM_ERROR_FILE, "stopped; nothing was written");
    return FALSE;
  }
  return rvm_weights_read (weights, rvm_weights_find (weights, array->name), values, error);
}

static gboolean
parse_dtype (const char *text, RvmDType *dtype)
{
  static const struct {
    const char *name;
    RvmDType dtype;
  } names[] = { { "f32", RVM_DTYPE_F32 }, { "f16", RVM_DTYPE_F16 }, { "bf16", RVM_DTYPE_BF16 } };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i].name, text) == 0) {
      *dtype = names[i].dtype;
      return TRUE;
    }
  return FALSE;
}

/* Prints which arrays of the file that was read are not in the one that was written: a step, an optimiser's moments, or the decoder. */
static void
print_left_out (const RvmConfig *config, const RvmWeights *weights)
{
  g_autoptr (GPtrArray) others = rvm_config_list_others (config, weights);
  const guint shown = MIN (others->len, 5);

  if (others->len == 0)
    return;
  g_print ("%s: left out %u arrays:", rvm_weights_get_path (weights), others->len);
  for (guint i = 0; i < shown; i++) {
    const RvmArray *array = g_ptr_array_index (others, i);
    g_print ("%s %s (%s)", i ? "," : "", array->name, rvm_array_get_dtype_name (array));
  }
  if (shown < others->len)
    g_print (" and %u more", others->len - shown);
  g_print ("\n");
}

int
rvm_command_convert (int argc, char **argv)
{
  g_autofree char *type = NULL;
  gboolean no_decoder = FALSE;
  const GOptionEntry entries[] = {
    { "dtype", 't', 0, G_OPTION_ARG_STRING, &type, "f32 (default), f16 or bf16", "TYPE" },
    { "no-decoder", 0, 0, G_OPTION_ARG_NONE, &no_decoder, "leave out the decoder, which only training needs", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("IN OUT - the same weights in another format or type; arrays that the model does not need are left out");
  g_autoptr (RvmWeights) weights = NULL;
  g_autoptr (GArray) arrays = NULL;
  g_autoptr (GError) error = NULL;
  RvmDType dtype = RVM_DTYPE_F32;
  RvmConfig config;
  gboolean ok;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 3 || (type && !parse_dtype (type, &dtype))) {
    g_printerr ("rvm-cl-train convert: expected IN and OUT, and --dtype f32, f16 or bf16\n");
    return 2;
  }
  weights = rvm_weights_open (argv[1], &error);
  if (weights == NULL || !rvm_config_from_weights (&config, weights, !no_decoder, &error))
    return rvm_command_fail (error, 1);
  arrays = rvm_config_list_arrays (&config, !no_decoder);
  for (guint i = 0; i < arrays->len; i++)
    g_array_index (arrays, RvmArray, i).dtype = dtype;
  rvm_interrupts_catch (); /* no file is left half written */
  ok = rvm_weights_save (argv[2], (const RvmArray *) arrays->data, arrays->len, copy_values, weights,
      rvm_weights_get_metadata (weights), &error);
  rvm_interrupts_deliver ();
  if (!ok)
    return rvm_command_fail (error, 1);
  g_print ("%s: %u arrays, %s, %" G_GUINT64_FORMAT " parameters\n", argv[2], arrays->len, rvm_dtype_get_name (dtype),
      rvm_config_count_parameters (&config, !no_decoder));
  print_left_out (&config, weights);
  return 0;
}
