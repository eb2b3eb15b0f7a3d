/* rvm-cl-train preview draws the samples that a recipe makes of some material; rvm-cl-train reconstruct draws what a model makes of samples of a
 * video. */
#include <gst/gst.h>

#include "commands.h"
#include "kernels/error.h"
#include "model/model_private.h"
#include "program/interrupts.h"
#include "trainer/data/source.h"
#include "trainer/recipes/trained.h"
#include "trainer/run/sheet.h"

RvmSampler *
rvm_command_open_sampler (const RvmRecipe *recipe, const GStrv names[RVM_MATERIAL_KINDS], const char *cache_dir, GError **error)
{
  g_autoptr (RvmMaterial) material = rvm_material_new ();

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    if (!rvm_material_give (material, kind, (const char *const *) names[kind], error))
      return NULL;
  return rvm_sampler_new (recipe, g_steal_pointer (&material), cache_dir, error);
}

static RvmSource *
open_source (const RvmRecipe *recipe, const GStrv names[RVM_MATERIAL_KINDS], const char *cache_dir, GError **error)
{
  RvmSampler *sampler = rvm_command_open_sampler (recipe, names, cache_dir, error);

  return sampler ? rvm_source_new (recipe, sampler, NULL, 0) : NULL;
}

int
rvm_command_preview (int argc, char **argv)
{
  g_autofree char *name = NULL, *cache_dir = NULL;
  g_auto (GStrv) data = NULL;
  g_auto (GStrv) photos = NULL;
  g_auto (GStrv) sprites = NULL;
  g_auto (GStrv) settings = NULL;
  int samples = 8;
  const GOptionEntry entries[] = {
    { "recipe", 'r', 0, G_OPTION_ARG_FILENAME, &name, "a file, or cpu (default), tiny or small16", "RECIPE" },
    { "data", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &data, "videos: a file, a folder, or a list (.txt); may be repeated", "PATH" },
    { "photos", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &photos, "pictures that rendered video moves over", "PATH" },
    { "sprites", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &sprites, "cut-outs with transparency that move in rendered video", "PATH" },
    { "set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings, "a recipe value, see pretrain --help", "KEY=VALUE" },
    { "samples", 'n', 0, G_OPTION_ARG_INT, &samples, "samples to show (default 8)", "N" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, "folder for the index of videos (default: gst-rvm in the user's cache directory)", "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("OUT.png - a contact sheet of samples, masks and gaps");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmSource) source = NULL;
  g_autoptr (RvmSourceBatch) batch = NULL;
  RvmRecipe recipe;
  RvmStepShape shape;
  gboolean ok;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 2 || samples < 1 || samples > 1000) {
    g_printerr ("rvm-cl-train preview: expected one OUT.png and --samples from 1 to 1000\n");
    return 2;
  }
  if (!rvm_command_make_recipe (&recipe, name ? name : "cpu", (const char *const *) settings, &error))
    return rvm_command_fail (error, 2);
  gst_init (NULL, NULL);
  recipe.batch = samples;
  recipe.side_max = 0; /* all samples of width x height */
  shape = rvm_step_shape_of_recipe (&recipe, recipe.batch);
  source = open_source (&recipe, (const GStrv[]){ data, photos, sprites }, cache_dir, &error);
  batch = source ? rvm_source_next (source, &error) : NULL;
  if (batch)
    shape = rvm_step_shape_of_batch (&shape, &batch->batch);
  rvm_interrupts_catch (); /* no file is left half written */
  ok = batch && rvm_sheet_samples (argv[1], &shape, recipe.model.patch, &batch->batch, &error);
  rvm_interrupts_deliver ();
  if (!ok)
    return rvm_command_fail (error, 1);
  g_print ("%s: %u samples; %s\n", argv[1], shape.samples, rvm_source_get_description (source));
  return 0;
}

/* @grid_code: the model was trained on batches of many grids. */
static gboolean
reconstruct (RvmModel *model, const RvmRecipe *recipe, gboolean grid_code, const char *video, const char *out, const char *cache_dir,
    GError **error)
{
  char *videos[] = { (char *) video, NULL };
  RvmStepShape shape = rvm_step_shape_of_recipe (recipe, recipe->batch);
  const gsize values = (gsize) shape.samples * shape.targets * (shape.rows * shape.columns + 1) * model->config.patch * model->config.patch * 3;
  g_autoptr (RvmSource) source = open_source (recipe, (const GStrv[RVM_MATERIAL_KINDS]){ videos }, cache_dir, error);
  g_autoptr (RvmSourceBatch) batch = source ? rvm_source_get_probe (source, error) : NULL;
  g_autoptr (RvmStep) step = NULL;
  g_autofree float *predicted = NULL;
  RvmLoss loss;
  gboolean ok;

  shape.grid_code = grid_code;
  step = batch ? rvm_step_new (model, &shape, FALSE, FALSE, error) : NULL;
  if (step == NULL)
    return FALSE;
  predicted = g_new (float, values);
  rvm_step_refresh (step);
  if (!rvm_step_forward (step, &batch->batch, &loss, error) || !rvm_step_read (step, predicted, NULL, error))
    return FALSE;
  rvm_interrupts_catch (); /* no file is left half written */
  ok = rvm_sheet_reconstruction (out, &shape, model->config.patch, &batch->batch, shape.samples, predicted, error);
  rvm_interrupts_deliver ();
  if (!ok)
    return FALSE;
  g_print ("%s: mean squared error %.5f over masked patches, %.5f over all\n", out, loss.masked, loss.all);
  return TRUE;
}

int
rvm_command_reconstruct (int argc, char **argv)
{
  g_autofree char *device = NULL, *cache_dir = NULL;
  g_auto (GStrv) settings = NULL;
  int samples = 4;
  const GOptionEntry entries[] = {
    { "set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings, "a recipe value (see pretrain --help) to use instead of the training's",
        "KEY=VALUE" },
    { "samples", 'n', 0, G_OPTION_ARG_INT, &samples, "samples to show (default 4)", "N" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, RVM_CACHE_DIR_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("MODEL VIDEO OUT.png - source, masked target, reconstruction and truth, side by side");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = NULL;
  gboolean grid_code;
  RvmRecipe recipe;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 4 || samples < 1 || samples > 1000) {
    g_printerr ("rvm-cl-train reconstruct: expected MODEL, VIDEO and OUT.png, and --samples from 1 to 1000\n");
    return 2;
  }
  if (!rvm_recipe_load_trained (&recipe, argv[1], &error))
    return rvm_command_fail (error, 1);
  if (recipe.model.decoder.layers == 0) {
    rvm_error_set (&error, RVM_ERROR_MODEL, "%s: has no decoder, which makes the pictures. The file model.safetensors of a run has one, and so has"
        " rvm-cpu-decoder.safetensors beside the bundled model", argv[1]);
    return rvm_command_fail (error, 1);
  }
  recipe.synthetic = 0;
  for (guint i = 0; settings && settings[i]; i++)
    if (!rvm_recipe_set (&recipe, settings[i], &error))
      return rvm_command_fail (error, 2);
  recipe.batch = samples;
  grid_code = recipe.side_max != 0;
  recipe.side_max = 0; /* all samples of width x height */
  if (!rvm_recipe_validate (&recipe, &error))
    return rvm_command_fail (error, 2);
  gst_init (NULL, NULL);
  model = rvm_model_load_trainable (argv[1], &(RvmModelOptions){ .device = device, .cache_dir = cache_dir }, &error);
  if (model)
    rvm_command_show_notice (model->device);
  if (model == NULL || !reconstruct (model, &recipe, grid_code, argv[2], argv[3], cache_dir, &error))
    return rvm_command_fail (error, 1);
  return 0;
}
