/* rvm-cl-train readout: finds the subcommand, and does what they have in common. */
#include "readout.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/error.h"
#include "model/default_model.h"
#include "program/interrupts.h"
#include "trainer/readout/learning_curve.h"

void
rvm_readout_arguments_clear (RvmReadoutArguments *arguments)
{
  char **texts[] = { &arguments->data,      &arguments->groups,   &arguments->out,     &arguments->model,  &arguments->size,
                     &arguments->reference, &arguments->features, &arguments->network, &arguments->test,    &arguments->classes,  &arguments->licence, &arguments->device,
                     &arguments->cache_dir };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_clear_pointer (texts[i], g_free);
}

gboolean
rvm_readout_parse_word (const char *option, const char *text, const char *const *words, guint *index, GError **error)
{
  g_autofree char *list = NULL;

  if (text == NULL)
    return TRUE;
  for (guint i = 0; words[i]; i++)
    if (strcmp (words[i], text) == 0) {
      *index = i;
      return TRUE;
    }
  list = g_strjoinv (", ", (char **) words);
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s '%s': expected one of %s", option, text, list);
  return FALSE;
}

gboolean
rvm_readout_parse_size (const char *text, guint patch, guint columns, guint rows, guint *width, guint *height, GError **error)
{
  char rest;

  if (text == NULL) {
    *width = columns * patch;
    *height = rows * patch;
    return TRUE;
  }
  if (sscanf (text, "%ux%u%c", width, height, &rest) == 2 && *width >= patch && *height >= patch && *width <= 4096 && *height <= 4096
      && *width % patch == 0 && *height % patch == 0)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "--size '%s': expected WIDTHxHEIGHT in pixels, multiples of the model's patch size, %u", text,
                 patch);
  return FALSE;
}

RvmModel *
rvm_readout_load_model (const RvmReadoutArguments *arguments, GError **error)
{
  const RvmModelOptions options = { .device = arguments->device, .cache_dir = arguments->cache_dir };
  RvmModel *model = rvm_model_load (arguments->model ? arguments->model : rvm_default_model_get_path (), &options, error);

  if (model)
    rvm_command_show_notice (rvm_model_get_device (model));
  else if (arguments->model == NULL)
    rvm_default_model_explain (error);
  return model;
}

gboolean
rvm_readout_check_out (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_access (folder, W_OK | X_OK) == 0)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s: %s", path, folder, g_strerror (errno));
  return FALSE;
}

int
rvm_readout_fail (const GError *error)
{
  const int status = rvm_interrupts_count () ? rvm_interrupts_get_status () : 1;

  return rvm_command_fail (error, g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) ? 2 : status);
}

void
rvm_readout_print_measures (const RvmMeasures *measures, const GArray *curve)
{
  char accuracy[G_ASCII_DTOSTR_BUF_SIZE], mean[G_ASCII_DTOSTR_BUF_SIZE];
  g_autoptr (GString) more = g_string_new (NULL);

  if (curve) {
    g_string_append (more, ", \"curve\": ");
    rvm_learning_curve_format_json (curve, more);
  }
  g_print ("{\"accuracy\": %s, \"mean_class_accuracy\": %s, \"n\": %u%s}\n",
           g_ascii_formatd (accuracy, sizeof accuracy, "%.6f", measures->accuracy),
           g_ascii_formatd (mean, sizeof mean, "%.6f", measures->mean_class), measures->n, more->str);
}

void
rvm_readout_print_dense_measures (const RvmDenseMeasures *measures, const RvmTargetKind *kind)
{
  char first[G_ASCII_DTOSTR_BUF_SIZE], second[G_ASCII_DTOSTR_BUF_SIZE];

  g_print ("{\"%s\": %s, \"%s\": %s, \"n\": %u}\n", rvm_dense_measure_name (kind, 0),
           g_ascii_formatd (first, sizeof first, "%.6f", rvm_dense_measure_get (measures, kind, 0)), rvm_dense_measure_name (kind, 1),
           g_ascii_formatd (second, sizeof second, "%.6f", rvm_dense_measure_get (measures, kind, 1)), measures->n);
}

static const struct {
  const char *name, *summary;
  int (*run) (int argc, char **argv);
} kinds[] = {
  { "class", "learn to tell classes of clips apart", rvm_readout_command_class },
  { "labels", "learn where what is, from painted pictures", rvm_readout_command_labels },
  { "depth", "learn how far everything is, from pictures of depth", rvm_readout_command_depth },
  { "distance", "learn what normal footage is like", rvm_readout_command_distance },
  { "evaluate", "measure a readout on other clips", rvm_readout_command_evaluate },
};

int
rvm_command_readout (int argc, char **argv)
{
  if (argc >= 2 && (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0)) {
    g_print ("Usage: rvm-cl-train readout COMMAND [OPTION...]\n\nCommands:\n");
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      g_print ("  %-11s %s\n", kinds[i].name, kinds[i].summary);
    return 0;
  }
  for (guint i = 0; argc >= 2 && i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].name, argv[1]) == 0)
      return kinds[i].run (argc - 1, argv + 1);
  g_printerr ("rvm-cl-train readout: expected a command ('rvm-cl-train readout --help' lists them)\n");
  return 2;
}
