/* rvm-cl-train readout class: a readout of classes from labelled clips, with what it is worth. */
#include <gst/gst.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "readout.h"
#include "trainer/readout/class_readout.h"

/* What the readout was trained on, for its file. */
static char *
describe_material (const RvmReadoutArguments *options, const RvmLabelled *labelled)
{
  g_autofree char *base = g_path_get_basename (options->data), *shown = g_filename_display_name (base);
  g_autofree guint *counts = g_new0 (guint, labelled->classes->len);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < labelled->clips->len; i++)
    counts[((RvmLabelledClip *) g_ptr_array_index (labelled->clips, i))->label]++;
  g_string_printf (text, "%s: %u clips of %u groups:", shown, labelled->clips->len, labelled->groups->len);
  for (guint c = 0; c < labelled->classes->len; c++)
    g_string_append_printf (text, "%s %u %s", c ? "," : "", counts[c], (char *) g_ptr_array_index (labelled->classes, c));
  return g_string_free (text, FALSE);
}

static gboolean
save_class (const RvmReadoutArguments *options, const RvmClassOptions *settings, RvmModel *model, const RvmLabelled *labelled,
            const RvmClassReport *report, const char *text, GError **error)
{
  g_autofree char *material = describe_material (options, labelled), *picture = g_strconcat (options->out, ".confusion.png", NULL);
  g_autofree char **classes = g_new0 (char *, labelled->classes->len + 1);
  const RvmReadoutInfo info = {
    .kind = (char *) "class",
    .model = (char *) rvm_model_get_id (model),
    .features = settings->features,
    .width = settings->width,
    .height = settings->height,
    .window = settings->window,
    .stride = report->stride,
    .reference = settings->reference,
    .cells = report->cells,
    .frame_rate = report->rate,
    .classes = classes,
    .material = material,
    .licence = options->licence,
    .measured = (char *) text,
  };

  for (guint c = 0; c < labelled->classes->len; c++)
    classes[c] = g_ptr_array_index (labelled->classes, c);
  if (!rvm_class_report_save (report, &info, options->out, error)
      || !rvm_measures_draw_confusion (g_array_index (report->rows, RvmClassRow, report->readout).measures, (const char *const *) classes,
                                       picture, error))
    return FALSE;
  g_print ("%s: %s; window of %u states, stride %u, %u x %u pixels; %s\n", options->out, material, info.window, info.stride, info.width,
           info.height, picture);
  return TRUE;
}

static gboolean
train_class (const RvmReadoutArguments *options, GError **error)
{
  static const char *const references[] = { "none", "first", "mean", NULL }, *const features[] = { "state", "encoder", NULL },
                           *const networks[] = { "auto", "linear", "attention", "both", NULL };
  const RvmModelOptions model_options = { .device = options->device, .cache_dir = options->cache_dir };
  RvmClassOptions settings = { .window = options->window,
                               .stride = options->stride,
                               .reference = RVM_REFERENCE_FIRST,
                               .reversed = options->reversed,
                               .curve = options->curve,
                               .epochs = options->epochs,
                               .seed = options->seed,
                               .cache_dir = options->cache_dir,
                               .model_options = &model_options };
  g_autoptr (RvmLabelled) labelled = NULL;
  g_autoptr (RvmClassReport) report = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_autofree char *text = NULL;
  guint word = RVM_REFERENCE_FIRST, which = RVM_READOUT_STATE, network = RVM_CLASS_AUTO;

  if (!rvm_readout_parse_word ("--reference", options->reference, references, &word, error)
      || !rvm_readout_parse_word ("--features", options->features, features, &which, error)
      || !rvm_readout_parse_word ("--network", options->network, networks, &network, error))
    return FALSE;
  settings.network = network;
  settings.reference = word;
  settings.features = which;
  if (!rvm_readout_check_out (options->out, error))
    return FALSE;
  labelled = rvm_labelled_read (options->data, options->groups, NULL, error);
  model = labelled ? rvm_readout_load_model (options, error) : NULL;
  if (model == NULL
      || !rvm_readout_parse_size (options->size, rvm_model_get_config (model)->patch, 12, 9, &settings.width, &settings.height, error))
    return FALSE;
  rvm_interrupts_catch ();
  report = rvm_class_readout_train (&settings, model, labelled, error);
  if (report == NULL)
    return FALSE;
  text = rvm_class_report_format (report, labelled);
  g_print ("%s\n", text);
  if (!save_class (options, &settings, model, labelled, report, text, error))
    return FALSE;
  if (options->json)
    rvm_readout_print_measures (g_array_index (report->rows, RvmClassRow, report->readout).measures, report->curve);
  return TRUE;
}

int
rvm_readout_command_class (int argc, char **argv)
{
  RvmReadoutArguments options = { .window = 16, .epochs = 60 };
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &options.data,
      "clips: a folder with a folder for each class, or a CSV file: file, start, end (seconds), class", "FOLDER|CSV" },
    { "groups", 0, 0, G_OPTION_ARG_FILENAME, &options.groups,
      "which clips belong together: name (their file's name up to the first '_', the default), column (`group` of the CSV file), clip, or "
      "a CSV file: file, "
      "group",
      "HOW" },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, "the readout (.safetensors); FILE.confusion.png beside it", "FILE" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &options.model, "weights (default: the bundled ones)", "FILE" },
    { "size", 's', 0, G_OPTION_ARG_STRING, &options.size, "analysed pixels (default 12 x 9 patches)", "WIDTHxHEIGHT" },
    { "window", 'w', 0, G_OPTION_ARG_INT, &options.window, "states to look at, 2 to 64 (default 16)", "K" },
    { "stride", 0, 0, G_OPTION_ARG_INT, &options.stride,
      "frames from one to the next (default: so that nine clips of ten fit into the window)", "N" },
    { "reference", 0, 0, G_OPTION_ARG_STRING, &options.reference,
      "what is subtracted from the states of a window: none, first (default) or mean", "WHAT" },
    { "features", 0, 0, G_OPTION_ARG_STRING, &options.features, "state (default) or encoder", "WHICH" },
    { "network", 0, 0, G_OPTION_ARG_STRING, &options.network,
      "linear (in closed form), attention, both (the better on held-out clips is kept) or auto (both, from fifty clips a class on; the default)",
      "WHICH" },
    { "epochs", 0, 0, G_OPTION_ARG_INT, &options.epochs, "of attention: how often each clip is seen, 1 to 10000 (default 60)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options.seed, "of attention: of the random numbers (default 0)", "N" },
    { "reversed", 0, 0, G_OPTION_ARG_NONE, &options.reversed, "also measure clips that run backwards", NULL },
    { "curve", 0, 0, G_OPTION_ARG_NONE, &options.curve, "also measure what is learned from 1, 2, 3, ... clips of each class, in closed form", NULL },
    { "licence", 0, 0, G_OPTION_ARG_STRING, &options.licence, "of the labels, for the file", "TEXT" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "end with the measures as a line of JSON", NULL },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &options.device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.cache_dir, RVM_READOUT_CACHE_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- learn to tell classes of clips apart");
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    status = rvm_command_fail (error, 2);
  } else if (argc != 1 || options.data == NULL || options.out == NULL || options.window < 2 || options.window > 64 || options.stride < 0
             || options.stride > 1000 || options.epochs < 1 || options.epochs > 10000 || !g_str_has_suffix (options.out, ".safetensors")) {
    g_printerr (
        "rvm-cl-train readout class: expected --data FOLDER|CSV, --out FILE.safetensors, --window from 2 to 64, --stride from 1 to 1000, "
        "--epochs from 1 to 10000\n");
    status = 2;
  } else {
    gst_init (NULL, NULL);
    if (!train_class (&options, &error))
      status = rvm_readout_fail (error);
  }
  rvm_readout_arguments_clear (&options);
  return status;
}
