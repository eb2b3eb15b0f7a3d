/* rvm-cl-train readout distance: what normal footage is like, so that other footage can be told from it. */
#include <gst/gst.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "readout.h"
#include "trainer/readout/distance_readout.h"

static gboolean
save (const RvmReadoutArguments *arguments, const RvmFeatureSettings *settings, guint features, const RvmLabelled *labelled,
      const RvmDistanceReadout *readout, double rate, GError **error)
{
  g_autofree char *base = g_path_get_basename (arguments->data), *shown = g_filename_display_name (base);
  g_autofree char *material
      = g_strdup_printf ("%s: %u videos of normal footage, of %u groups", shown, labelled->clips->len, labelled->groups->len);
  g_autofree char *measured
      = readout->median > 0 ? g_strdup_printf (
            "normal footage of groups that were held out: half below %.2f, 95 %% below %.2f; %u pooled states, shrinkage %.3f",
            readout->median, readout->most_of, readout->n, readout->shrinkage)
                            : g_strdup_printf ("not measured, as all footage is of one group; %u pooled states, shrinkage %.3f", readout->n,
                                               readout->shrinkage);
  const RvmReadoutInfo info = {
    .kind = (char *) "distance",
    .model = (char *) rvm_model_get_id (settings->model),
    .features = features,
    .width = settings->width,
    .height = settings->height,
    .window = arguments->window,
    .stride = settings->stride,
    .reference = RVM_REFERENCE_NONE,
    .frame_rate = rate,
    .material = material,
    .licence = arguments->licence,
    .measured = measured,
  };

  if (!rvm_distance_readout_save (readout, &info, arguments->out, error))
    return FALSE;
  g_print ("%s: %s; window of %u states, stride %u, %u x %u pixels\n%s\n", arguments->out, material, info.window, info.stride, info.width,
           info.height, measured);
  return TRUE;
}

static gboolean
make (const RvmReadoutArguments *arguments, GError **error)
{
  static const char *const kinds[] = { "state", "encoder", NULL };
  RvmFeatureSettings settings = { .stride = arguments->stride, .cache_dir = arguments->cache_dir };
  g_autoptr (RvmLabelled) labelled = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_autofree RvmClipFrames *frames = NULL;
  g_autoptr (RvmDistanceReadout) readout = NULL;
  guint features = RVM_READOUT_STATE;

  if (!rvm_readout_parse_word ("--features", arguments->features, kinds, &features, error))
    return FALSE;
  if (!rvm_readout_check_out (arguments->out, error))
    return FALSE;
  labelled = rvm_labelled_read_footage (arguments->data, arguments->groups, error);
  model = labelled ? rvm_readout_load_model (arguments, error) : NULL;
  if (model == NULL
      || !rvm_readout_parse_size (arguments->size, rvm_model_get_config (model)->patch, 12, 9, &settings.width, &settings.height, error))
    return FALSE;
  settings.model = model;
  rvm_interrupts_catch ();
  frames = rvm_features_count_frames (labelled, arguments->cache_dir, error);
  if (frames == NULL || !rvm_features_compute (&settings, labelled, frames, "videos through the model", error))
    return FALSE;
  readout = rvm_distance_readout_make (&settings, labelled, features, arguments->window, error);
  return readout && save (arguments, &settings, features, labelled, readout, frames[0].rate, error);
}

int
rvm_readout_command_distance (int argc, char **argv)
{
  RvmReadoutArguments arguments = { .window = 1, .stride = 4 };
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &arguments.data, "videos of normal footage: one, or a folder", "FILE|FOLDER" },
    { "groups", 0, 0, G_OPTION_ARG_FILENAME, &arguments.groups,
      "which videos belong together: name (their file's name up to the first '_', the default), clip, or a CSV file: file, group", "HOW" },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &arguments.out, "the readout (.safetensors)", "FILE" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &arguments.model, "weights (default: the bundled ones)", "FILE" },
    { "size", 's', 0, G_OPTION_ARG_STRING, &arguments.size, "analysed pixels (default 12 x 9 patches)", "WIDTHxHEIGHT" },
    { "window", 'w', 0, G_OPTION_ARG_INT, &arguments.window, "states that are averaged, 1 to 64 (default 1)", "K" },
    { "stride", 0, 0, G_OPTION_ARG_INT, &arguments.stride, "frames from one to the next (default 4)", "N" },
    { "features", 0, 0, G_OPTION_ARG_STRING, &arguments.features, "state (default) or encoder", "WHICH" },
    { "licence", 0, 0, G_OPTION_ARG_STRING, &arguments.licence, "of the footage, for the file", "TEXT" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &arguments.device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &arguments.cache_dir, RVM_READOUT_CACHE_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- learn what normal footage is like");
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    status = rvm_command_fail (error, 2);
  } else if (argc != 1 || arguments.data == NULL || arguments.out == NULL || !g_str_has_suffix (arguments.out, ".safetensors")
             || arguments.window < 1 || arguments.window > 64 || arguments.stride < 1 || arguments.stride > 1000) {
    g_printerr ("rvm-cl-train readout distance: expected --data FILE|FOLDER, --out FILE.safetensors, --window from 1 to 64, --stride from "
                "1 to 1000\n");
    status = 2;
  } else {
    gst_init (NULL, NULL);
    if (!make (&arguments, &error))
      status = rvm_readout_fail (error);
  }
  rvm_readout_arguments_clear (&arguments);
  return status;
}
