/* rvm-archive: keeps what a model sees in a folder of videos, and finds it again. Runs the command that is named; what the commands share is here. */
#include <string.h>

#include "archive/index/folder.h"
#include "archive/index/shards.h"
#include "commands.h"
#include "kernels/error.h"
#include "kernels/text.h"
#include "program/commands.h"

static const RvmProgramCommand commands[] = {
  { "index", "look at videos, and record what is new or has changed", rvm_archive_index },
  { "status", "say what an archive has", rvm_archive_status },
  { "search", "find where something appears", rvm_archive_search },
  { "scenes", "find the cuts of videos", rvm_archive_scenes },
  { "duplicates", "find what several videos have in common", rvm_archive_duplicates },
  { "check", "see whether an archive is whole, and mend it", rvm_archive_check },
  { "export", "write vectors as JSON lines, CSV or NumPy's format", rvm_archive_export },
};

int
rvm_archive_fail (const GError *error, int status)
{
  g_printerr ("rvm-archive: %s\n", error->message);
  return status;
}

int
rvm_archive_parse (int *argc, char ***argv, const GOptionEntry *entries, const char *usage, const char *summary, GStrv *names)
{
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  g_autofree char *name = g_strconcat ("rvm-archive ", (*argv)[0], NULL);
  g_autoptr (GError) error = NULL;

  g_set_prgname (name);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_summary (context, summary);
  if (!g_option_context_parse (context, argc, argv, &error))
    return rvm_archive_fail (error, 2);
  if (names == NULL && *argc > 1) {
    g_printerr ("rvm-archive: unexpected argument '%s'\n", (*argv)[1]);
    return 2;
  }
  if (names)
    *names = g_strdupv (*argv + 1);
  return -1;
}

RvmDatabase *
rvm_archive_open_any (const char *folder, GError **error)
{
  g_autofree char *path = folder ? rvm_folder_get_database (folder) : NULL;

  if (folder == NULL)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "which archive? --archive FOLDER names it");
  return folder ? rvm_database_open (path, RVM_DATABASE_READ, error) : NULL;
}

RvmDatabase *
rvm_archive_open (const char *folder, GError **error)
{
  g_autoptr (RvmDatabase) database = rvm_archive_open_any (folder, error);
  const RvmSettings *settings = database ? rvm_database_get_settings (database) : NULL;
  g_autoptr (GPtrArray) shards = database ? rvm_shards_list (folder) : NULL;
  g_autofree char *explained = shards && shards->len ? rvm_shards_explain (folder, shards) : NULL;

  if (settings && explained)
    g_printerr ("rvm-archive: %s: %s\n", folder, explained);
  if (database && settings == NULL)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: no video is in this archive yet%s%s", folder, explained ? ": " : "; 'rvm-archive index' looks at some",
        explained ? explained : "");
  return settings ? g_steal_pointer (&database) : NULL;
}
/* Marks the video of @name. */
static gboolean
mark (const RvmTable *table, const char *name, gboolean *marked, GError **error)
{
  g_autofree char *path = rvm_record_get_path_of (name, error);

  if (path == NULL)
    return FALSE;
  for (guint s = 0; s < table->spans->len; s++)
    if (strcmp (g_array_index (table->spans, RvmTableSpan, s).record->path, path) == 0) {
      marked[s] = TRUE;
      return TRUE;
    }
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: is not in the archive, or no moment of it is: 'rvm-archive status --files' names what is", path);
  return FALSE;
}

RvmTable *
rvm_archive_load_colours (RvmDatabase *database, const char *const *names, gboolean **marked, GError **error)
{
  g_autoptr (RvmTable) table = NULL;

  if (!rvm_database_hold (database, error))
    return NULL;
  table = rvm_table_load (database, RVM_VECTOR_COLOURS, error);
  if (table == NULL || !rvm_database_let_go (database, error))
    return NULL;
  *marked = names && names[0] ? g_new0 (gboolean, table->spans->len + 1) : NULL;
  for (guint i = 0; *marked && names[i]; i++)
    if (!mark (table, names[i], *marked, error))
      return NULL;
  return g_steal_pointer (&table);
}

void
rvm_archive_print_json (JsonBuilder *builder)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = NULL;

  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, NULL);
  g_print ("%s\n", text);
}

void
rvm_archive_add_text (JsonBuilder *builder, const char *name, const char *value)
{
  g_autofree char *text = value ? rvm_text_from_bytes (value) : NULL;

  json_builder_set_member_name (builder, name);
  if (text)
    json_builder_add_string_value (builder, text);
  else
    json_builder_add_null_value (builder);
}

void
rvm_archive_add_bytes (JsonBuilder *builder, const char *name, const char *value)
{
  g_autofree char *text = rvm_name_escape (value);

  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text);
}

void
rvm_archive_add_number (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  if (value == RVM_UNKNOWN)
    json_builder_add_null_value (builder);
  else
    json_builder_add_int_value (builder, value);
}

void
rvm_archive_add_real (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

int
main (int argc, char **argv)
{
  return rvm_program_run ("rvm-archive", commands, G_N_ELEMENTS (commands), argc, argv);
}
