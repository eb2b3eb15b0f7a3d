/* rvm-archive scenes: the cuts of all videos of an archive, or of those that are named. */
#include <string.h>

#include "archive/compare/scenes.h"
#include "commands.h"
#include "kernels/error.h"
#include "kernels/text.h"

static char *archive;
static gboolean json;
static double cut, stands, least;

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive", "FOLDER" },
  { "cut", 0, 0, G_OPTION_ARG_DOUBLE, &cut, "change of colours from one moment to the next that ends a scene, 0 to 1 (0.04)", "CHANGE" },
  { "stands", 0, 0, G_OPTION_ARG_DOUBLE, &stands, "if it is so many times the mean change of the two moments before and after (8)", "TIMES" },
  { "least", 0, 0, G_OPTION_ARG_DOUBLE, &least, "no scene is shorter (0.5)", "SECONDS" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

static void
print_json (const RvmTable *table, const GArray *scenes)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  rvm_archive_add_number (builder, "moments", table->n);
  json_builder_set_member_name (builder, "scenes");
  json_builder_begin_array (builder);
  for (guint i = 0; i < scenes->len; i++) {
    const RvmScene *scene = &g_array_index (scenes, RvmScene, i);

    json_builder_begin_object (builder);
    rvm_archive_add_bytes (builder, "path", scene->record->path);
    rvm_archive_add_number (builder, "scene", scene->number);
    rvm_archive_add_number (builder, "start", scene->start);
    rvm_archive_add_number (builder, "end", scene->end);
    rvm_archive_add_number (builder, "moments", scene->count);
    rvm_archive_add_real (builder, "change", scene->change);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  rvm_archive_print_json (builder);
}

static void
print_text (const GArray *scenes)
{
  for (guint i = 0; i < scenes->len; i++) {
    const RvmScene *scene = &g_array_index (scenes, RvmScene, i);
    g_autofree char *name = rvm_name_escape (scene->record->path);

    if (scene->number == 1)
      g_print ("%s\n", name);
    g_print ("%6u  %8.2f to %8.2f s", scene->number, scene->start / 1e9, scene->end / 1e9);
    if (scene->number > 1)
      g_print ("  change %.3f", scene->change);
    g_print ("\n");
  }
}

static gboolean
run (RvmDatabase *database, const char *const *names, GError **error)
{
  const RvmSceneOptions options = { cut, stands, (gint64) (least * 1e9) };
  g_autoptr (RvmTable) table = NULL;
  g_autofree gboolean *marked = NULL;
  g_autoptr (GArray) scenes = NULL;

  if (!(table = rvm_archive_load_colours (database, names, &marked, error)))
    return FALSE;
  scenes = rvm_scenes_find (table, marked, &options);
  if (json)
    print_json (table, scenes);
  else
    print_text (scenes);
  return TRUE;
}

int
rvm_archive_scenes (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDatabase) database = NULL;
  g_auto (GStrv) names = NULL;
  int status;

  cut = rvm_scene_defaults.cut;
  stands = rvm_scene_defaults.stands;
  least = rvm_scene_defaults.least / 1e9;
  status = rvm_archive_parse (&argc, &argv, entries, "[VIDEO...] --archive FOLDER",
      "Says where the videos of an archive are cut, to the moment: at --rate 5, to a fifth of a second.", &names);
  if (status >= 0)
    return status;
  if (!(cut >= 0 && cut <= 1) || !(stands >= 0 && stands < 1e6) || !(least >= 0 && least < 1e6)) {
    g_printerr ("rvm-archive: --cut is 0 to 1, --stands 0 or more times, --least 0 or more seconds\n");
    return 2;
  }
  database = rvm_archive_open (archive, &error);
  if (database && run (database, (const char *const *) names, &error))
    return 0;
  return rvm_archive_fail (error, g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) ? 2 : 1);
}
