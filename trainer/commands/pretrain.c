/* rvm-cl-train pretrain begins a run in a folder, from random weights or from a weight file; rvm-cl-train resume continues one. */
#include <gst/gst.h>
#include <signal.h>

#include "commands.h"
#include "program/interrupts.h"
#include "trainer/run/run.h"
#include "trainer/run/run_files.h"
#include "trainer/step/parallel.h"

/* Ends all processes: the others cannot continue without this one. */
static int
fail (GError *error)
{
  const int status = rvm_command_fail (error, 1);

  rvm_parallel_abort (status);
  return status;
}

static int
train (const RvmRunOptions *options, RvmSampler *opened)
{
  const gboolean writes = rvm_parallel_get_rank () == 0;
  g_autoptr (GError) error = NULL;
  const RvmRunResult result = rvm_run_resume (options, opened, &error);

  /* Everything is saved. An output that nobody reads must not change the exit status. */
  signal (SIGPIPE, SIG_IGN);
  if (result != RVM_RUN_FAILED)
    rvm_parallel_stop ();
  switch (result) {
    case RVM_RUN_FINISHED:
      if (writes)
        g_print ("%s: finished; weights in %s/model.safetensors\n", options->folder, options->folder);
      return 0;
    case RVM_RUN_INTERRUPTED:
      if (writes)
        g_print ("%s: stopped and saved; 'rvm-cl-train resume %s' continues\n", options->folder, options->folder);
      return rvm_interrupts_get_status () ? rvm_interrupts_get_status () : 128 + SIGINT;
    case RVM_RUN_FAILED:
      break;
  }
  return fail (error);
}

gboolean
rvm_command_make_recipe (RvmRecipe *recipe, const char *name, const char *const *settings, GError **error)
{
  if (!rvm_recipe_load (recipe, name, error))
    return FALSE;
  for (guint i = 0; settings && settings[i]; i++)
    if (!rvm_recipe_set (recipe, settings[i], error))
      return FALSE;
  return rvm_recipe_validate (recipe, error);
}

int
rvm_command_pretrain (int argc, char **argv)
{
  g_autofree char *name = NULL, *out = NULL, *init = NULL, *device = NULL, *cache_dir = NULL, *values = rvm_recipe_describe ();
  g_auto (GStrv) data = NULL;
  g_auto (GStrv) photos = NULL;
  g_auto (GStrv) sprites = NULL;
  g_auto (GStrv) settings = NULL;
  gint64 stop_at = 0;
  const GOptionEntry entries[] = {
    { "recipe", 'r', 0, G_OPTION_ARG_FILENAME, &name, "a file, or cpu (default), tiny or small16", "RECIPE" },
    { "data", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &data, "videos: a file, a folder, or a list (.txt); may be repeated", "PATH" },
    { "photos", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &photos, "pictures that rendered video moves over", "PATH" },
    { "sprites", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &sprites, "cut-outs with transparency that move in rendered video", "PATH" },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &out, "folder of the run", "FOLDER" },
    { "set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings, "a recipe value (see below), e.g. training.batch=8", "KEY=VALUE" },
    { "init", 'i', 0, G_OPTION_ARG_FILENAME, &init, "start from these weights; their sizes replace the recipe's", "FILE" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, RVM_CACHE_DIR_HELP, "FOLDER" },
    { "stop-at", 0, 0, G_OPTION_ARG_INT64, &stop_at, "stop after this step, as Ctrl-C would", "STEP" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- pretrain on videos");
  g_autofree char *description = g_strconcat ("Values of a recipe:\n", values, NULL);
  g_autoptr (GError) error = NULL;
  RvmSampler *opened = NULL;
  RvmRunOptions options = { 0 };
  RvmRecipe recipe;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_description (context, description);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 1 || out == NULL || stop_at < 0) {
    g_printerr ("rvm-cl-train pretrain: expected --out FOLDER and --data PATH or --photos PATH, and nothing that is not an option\n");
    return 2;
  }
  if (!rvm_command_make_recipe (&recipe, name ? name : "cpu", (const char *const *) settings, &error))
    return rvm_command_fail (error, 2);
  gst_init (NULL, NULL);
  options = (RvmRunOptions){
    .folder = out, .device = device, .cache_dir = cache_dir, .data = data, .photos = photos, .sprites = sprites,
    .from = RVM_RUN_LATEST, .stop_at = stop_at,
  };
  if (!rvm_parallel_start (&error))
    return rvm_command_fail (error, 1);
  if (rvm_parallel_get_rank () == 0 && (opened = rvm_run_create (&options, &recipe, init, &error)) == NULL)
    return fail (error);
  rvm_parallel_broadcast (0); /* the folder is there */
  return train (&options, opened);
}

int
rvm_command_resume (int argc, char **argv)
{
  g_autofree char *device = NULL, *cache_dir = NULL;
  g_auto (GStrv) data = NULL;
  g_auto (GStrv) photos = NULL;
  g_auto (GStrv) sprites = NULL;
  gint64 stop_at = 0, from = RVM_RUN_LATEST;
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &data, "use these videos from here on: others, or the same in another place; may be repeated", "PATH" },
    { "photos", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &photos, "use these photos from here on", "PATH" },
    { "sprites", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &sprites, "use these cut-outs from here on", "PATH" },
    { "from", 0, 0, G_OPTION_ARG_INT64, &from, "continue from the checkpoint of this step instead of the latest", "STEP" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, RVM_CACHE_DIR_HELP, "FOLDER" },
    { "stop-at", 0, 0, G_OPTION_ARG_INT64, &stop_at, "stop after this step, as Ctrl-C would", "STEP" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("FOLDER - continue a run from its last checkpoint");
  g_autoptr (GError) error = NULL;
  RvmRunOptions options = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  if (argc != 2 || stop_at < 0 || from < RVM_RUN_LATEST) {
    g_printerr ("rvm-cl-train resume: expected one FOLDER, and steps of 0 or more\n");
    return 2;
  }
  gst_init (NULL, NULL);
  options = (RvmRunOptions){
    .folder = argv[1], .device = device, .cache_dir = cache_dir, .data = data, .photos = photos, .sprites = sprites,
    .from = from, .stop_at = stop_at,
  };
  if (!rvm_parallel_start (&error))
    return rvm_command_fail (error, 1);
  return train (&options, NULL);
}
