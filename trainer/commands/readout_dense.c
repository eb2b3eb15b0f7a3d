/* rvm-cl-train readout labels, and depth: a dense readout from pictures of what is where, with what it is worth. */
#include <gst/gst.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "readout.h"
#include "trainer/readout/dense_readout.h"

/* The names of labels: those that were given, or their numbers. */
static char **
name_classes (const RvmReadoutArguments *arguments, guint classes)
{
  char **names;

  if (arguments->classes)
    return g_strsplit (arguments->classes, ",", -1);
  names = g_new0 (char *, classes + 1);
  for (guint c = 0; c < classes; c++)
    names[c] = g_strdup_printf ("%u", c);
  return names;
}

static gboolean
save (const RvmReadoutArguments *arguments, const RvmDenseOptions *settings, RvmModel *model, const RvmDenseReport *report, char **classes,
      const char *text, GError **error)
{
  g_autofree char *base = g_path_get_basename (arguments->data), *shown = g_filename_display_name (base);
  g_autofree char *material = g_strdup_printf ("%s: %u pictures", shown, report->learned + (arguments->test ? 0 : report->held_out));
  const RvmReadoutInfo info = {
    .kind = (char *) "dense",
    .model = (char *) rvm_model_get_id (model),
    .features = settings->features,
    .width = settings->width,
    .height = settings->height,
    .window = report->linear ? 1 : settings->window,
    .stride = settings->stride,
    .reference = report->linear ? RVM_REFERENCE_NONE : settings->reference,
    .frame_rate = report->rate,
    .classes = report->kind.depth ? NULL : classes,
    .target = (char *) (report->kind.depth ? "depth" : "labels"),
    .unit = (char *) (report->kind.depth ? "m" : NULL),
    .material = material,
    .licence = arguments->licence,
    .measured = (char *) text,
  };

  if (!rvm_readout_arrays_save (report->arrays, &info, arguments->out, error))
    return FALSE;
  g_print ("%s: %s; window of %u states, stride %u, %u x %u pixels\n", arguments->out, material, info.window, info.stride, info.width,
           info.height);
  return TRUE;
}

static gboolean
read_settings (const RvmReadoutArguments *arguments, RvmDenseOptions *settings, GError **error)
{
  static const char *const references[] = { "none", "first", "mean", NULL }, *const features[] = { "state", "encoder", NULL },
                           *const networks[] = { "auto", "linear", "attention", NULL };
  guint reference = RVM_REFERENCE_NONE, which = RVM_READOUT_STATE, network = RVM_DENSE_AUTO;

  if (!rvm_readout_parse_word ("--reference", arguments->reference, references, &reference, error)
      || !rvm_readout_parse_word ("--features", arguments->features, features, &which, error)
      || !rvm_readout_parse_word ("--network", arguments->network, networks, &network, error))
    return FALSE;
  settings->reference = reference;
  settings->features = which;
  settings->network = network;
  settings->window = arguments->window;
  settings->stride = arguments->stride;
  settings->steps = arguments->steps;
  settings->seed = arguments->seed;
  settings->cache_dir = arguments->cache_dir;
  return rvm_readout_check_out (arguments->out, error);
}

static gboolean
train (const RvmReadoutArguments *arguments, const RvmTargetKind *kind, GError **error)
{
  const RvmModelOptions model_options = { .device = arguments->device, .cache_dir = arguments->cache_dir };
  RvmDenseOptions settings = { .kind = *kind, .model_options = &model_options };
  g_autoptr (RvmTargets) data = NULL, test = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_autoptr (RvmDenseReport) report = NULL;
  g_auto (GStrv) classes = NULL;
  g_autofree char *text = NULL;

  if (!read_settings (arguments, &settings, error))
    return FALSE;
  data = rvm_targets_read (arguments->data, kind, arguments->groups, error);
  test = data && arguments->test ? rvm_targets_read (arguments->test, kind, arguments->groups, error) : NULL;
  if (data == NULL || (arguments->test && test == NULL))
    return FALSE;
  model = rvm_readout_load_model (arguments, error);
  if (model == NULL
      || !rvm_readout_parse_size (arguments->size, rvm_model_get_config (model)->patch, 20, 15, &settings.width,
                                  &settings.height, error))
    return FALSE;
  rvm_interrupts_catch ();
  report = rvm_dense_readout_train (&settings, model, data, test, error);
  if (report == NULL)
    return FALSE;
  classes = name_classes (arguments, report->kind.classes);
  text = rvm_dense_report_format (report, (const char *const *) classes);
  g_print ("%s\n", text);
  if (!save (arguments, &settings, model, report, classes, text, error))
    return FALSE;
  if (arguments->json)
    rvm_readout_print_dense_measures (g_array_index (report->rows, RvmDenseRow, report->rows->len - 1).measures, &report->kind);
  return TRUE;
}

static gboolean
check (const RvmReadoutArguments *arguments, int argc)
{
  g_auto (GStrv) classes = arguments->classes ? g_strsplit (arguments->classes, ",", -1) : NULL;

  for (guint c = 0; classes && classes[c]; c++)
    if (*classes[c] == '\0' || g_strv_contains ((const char *const *) classes + c + 1, classes[c]))
      return FALSE;
  return argc == 1 && arguments->data && arguments->out && g_str_has_suffix (arguments->out, ".safetensors") && arguments->window >= 1
         && arguments->window <= 64 && arguments->stride >= 1 && arguments->stride <= 1000 && arguments->steps >= 1 && arguments->steps <= 1000000
         && arguments->none >= -1 && arguments->none <= 255 && arguments->unit > 0 && arguments->unit < 1e6
         && (classes == NULL || (g_strv_length (classes) >= 2 && g_strv_length (classes) <= 256));
}

static int
run (int argc, char **argv, gboolean depth)
{
  RvmReadoutArguments arguments = { .window = 1, .stride = 1, .steps = 500, .none = -1, .unit = 0.001 };
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &arguments.data,
      depth ? "a folder with depth/, and images/ or a video" : "a folder with labels/, and images/ or a video", "FOLDER" },
    { "test", 0, 0, G_OPTION_ARG_FILENAME, &arguments.test, "another one, to measure on (default: a fifth of the first, by groups)", "FOLDER" },
    { "groups", 0, 0, G_OPTION_ARG_STRING, &arguments.groups,
      "which pictures follow each other: name (their name up to the first '_', the default) or clip (none)", "HOW" },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &arguments.out, "the readout (.safetensors)", "FILE" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &arguments.model, "weights (default: the bundled ones)", "FILE" },
    { "size", 's', 0, G_OPTION_ARG_STRING, &arguments.size, "analysed pixels (default 20 x 15 patches)", "WIDTHxHEIGHT" },
    { "window", 'w', 0, G_OPTION_ARG_INT, &arguments.window, "states to look at, 1 to 64 (default 1)", "K" },
    { "stride", 0, 0, G_OPTION_ARG_INT, &arguments.stride, "frames from one to the next (default 1)", "N" },
    { "reference", 0, 0, G_OPTION_ARG_STRING, &arguments.reference,
      "what is subtracted from the states of a window: none (default), first or mean", "WHAT" },
    { "features", 0, 0, G_OPTION_ARG_STRING, &arguments.features, "state (default) or encoder", "WHICH" },
    { "network", 0, 0, G_OPTION_ARG_STRING, &arguments.network,
      "linear (in closed form, of the newest state), attention, or auto: linear, with 50 pictures or more attention too, the better is kept (default)", "WHICH" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &arguments.steps, "of attention, at most, with four pictures each (default 500)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &arguments.seed, "of the random numbers (default 0)", "N" },
    { "licence", 0, 0, G_OPTION_ARG_STRING, &arguments.licence, "of the pictures, for the file", "TEXT" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, "end with the measures as a line of JSON", NULL },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &arguments.device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &arguments.cache_dir, RVM_READOUT_CACHE_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  const GOptionEntry of_labels[] = {
    { "classes", 0, 0, G_OPTION_ARG_STRING, &arguments.classes, "names of the labels 0, 1, ... (default: their numbers)", "NAME,NAME,..." },
    { "void", 0, 0, G_OPTION_ARG_INT, &arguments.none, "the label of what does not count", "N" },
    G_OPTION_ENTRY_NULL,
  };
  const GOptionEntry of_depth[] = {
    { "unit", 0, 0, G_OPTION_ARG_DOUBLE, &arguments.unit, "of the depth pictures, in metres (default 0.001)", "METRES" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context
      = g_option_context_new (depth ? "- learn how far everything is, from pictures of depth" : "- learn where what is, from painted pictures");
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, depth ? of_depth : of_labels, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    status = rvm_command_fail (error, 2);
  } else if (!check (&arguments, argc)) {
    g_printerr ("rvm-cl-train readout %s: expected --data FOLDER, --out FILE.safetensors, --window from 1 to 64, --stride from 1 to 1000, %s\n",
                depth ? "depth" : "labels", depth ? "a --unit above 0" : "--void from 0 to 255, at least two --classes of different names");
    status = 2;
  } else {
    g_auto (GStrv) classes = arguments.classes ? g_strsplit (arguments.classes, ",", -1) : NULL;
    const RvmTargetKind kind = { depth, classes ? g_strv_length (classes) : 0, arguments.none, arguments.unit };

    gst_init (NULL, NULL);
    if (!train (&arguments, &kind, &error))
      status = rvm_readout_fail (error);
  }
  rvm_readout_arguments_clear (&arguments);
  return status;
}

int
rvm_readout_command_labels (int argc, char **argv)
{
  return run (argc, argv, FALSE);
}

int
rvm_readout_command_depth (int argc, char **argv)
{
  return run (argc, argv, TRUE);
}
