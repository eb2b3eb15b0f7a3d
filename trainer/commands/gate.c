/* rvm-cl-train gate fits the update gate of given weights to what is covered (trainer/run/fit_gate.h). */
#include <gst/gst.h>

#include "commands.h"
#include "kernels/error.h"
#include "model/model_private.h"
#include "program/interrupts.h"
#include "trainer/run/fit_gate.h"

/* The recipe, for the network of @weights: one clear source frame for each sample, and nothing else. */
static gboolean
make_recipe (RvmRecipe *recipe, const char *name, const char *const *settings, RvmWeights *weights, GError **error)
{
  RvmRecipe with_decoder;
  RvmTransformerConfig decoder;

  if (!rvm_command_make_recipe (recipe, name ? name : "cpu", settings, error) || !rvm_config_from_weights (&recipe->model, weights, TRUE, error))
    return FALSE;
  recipe->sources_min = recipe->sources_max = recipe->targets = 1;
  recipe->gap_min = recipe->gap_max = 1;
  recipe->hidden_samples = recipe->places = recipe->objects = 0;
  recipe->model.deltas = MAX (recipe->model.deltas, 2);
  if (recipe->model.decoder.layers)
    return rvm_recipe_validate (recipe, error);
  /* Of weights without decoder, all but the decoder is checked. */
  rvm_recipe_init (&with_decoder);
  decoder = with_decoder.model.decoder;
  with_decoder = *recipe;
  with_decoder.model.decoder = decoder;
  return rvm_recipe_validate (&with_decoder, error);
}

static gboolean
fit_gate (const char *in, const char *out, const RvmRecipe *recipe, RvmWeights *weights, RvmSampler *sampler, const RvmModelOptions *options, guint frames,
    GError **error)
{
  g_autoptr (RvmModel) model = rvm_model_load (in, options, error);
  g_auto (RvmGateFit) fit = { 0 };
  gboolean ok;

  if (model == NULL)
    return FALSE;
  rvm_command_show_notice (model->device);
  if (!rvm_gate_fit (&fit, model, recipe, sampler, frames, error))
    return FALSE;
  rvm_interrupts_catch (); /* no file is left half written */
  ok = rvm_gate_fit_save (&fit, weights, out, error);
  rvm_interrupts_deliver ();
  if (ok)
    g_print ("%s: the state stays at %.1f %% of %u covered patches and is replaced at %.1f %% of %u clear ones, on frames that the fit has not seen\n", out,
        100.0 * fit.kept / MAX (fit.covered, 1), fit.covered, 100.0 * fit.replaced / MAX (fit.clear, 1), fit.clear);
  return ok;
}

int
rvm_command_gate (int argc, char **argv)
{
  g_autofree char *name = NULL, *device = NULL, *cache_dir = NULL;
  g_auto (GStrv) data = NULL;
  g_auto (GStrv) photos = NULL;
  g_auto (GStrv) sprites = NULL;
  g_auto (GStrv) settings = NULL;
  int frames = 600;
  const GOptionEntry entries[] = {
    { "recipe", 'r', 0, G_OPTION_ARG_FILENAME, &name, "how samples are made: a file, or cpu (default), tiny or small16", "RECIPE" },
    { "data", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &data, "videos: a file, a folder, or a list (.txt); may be repeated", "PATH" },
    { "photos", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &photos, "pictures that rendered video moves over", "PATH" },
    { "sprites", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &sprites, "cut-outs with transparency that move in rendered video", "PATH" },
    { "set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings, "a recipe value, see pretrain --help", "KEY=VALUE" },
    { "frames", 'n', 0, G_OPTION_ARG_INT, &frames, "frames to fit to (default 600)", "N" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, RVM_CACHE_DIR_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("IN OUT - the same weights with an update gate that keeps the state of covered patches");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmWeights) weights = NULL;
  g_autoptr (RvmSampler) sampler = NULL;
  RvmRecipe recipe;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 3 || frames < 40 || frames > 100000) {
    g_printerr ("rvm-cl-train gate: expected IN and OUT, and --frames from 40 to 100000\n");
    return 2;
  }
  weights = rvm_weights_open (argv[1], &error);
  if (weights == NULL || !make_recipe (&recipe, name, (const char *const *) settings, weights, &error))
    return rvm_command_fail (error, weights ? 2 : 1);
  gst_init (NULL, NULL);
  sampler = rvm_command_open_sampler (&recipe, (const GStrv[]){ data, photos, sprites }, cache_dir, &error);
  if (sampler == NULL || !fit_gate (argv[1], argv[2], &recipe, weights, sampler, &(RvmModelOptions){ .device = device, .cache_dir = cache_dir }, frames, &error))
    return rvm_command_fail (error, 1);
  return 0;
}
