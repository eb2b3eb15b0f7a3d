/* rvm-archive duplicates: what several videos of an archive have in common. */
#include <math.h>
#include <string.h>

#include "archive/compare/duplicates.h"
#include "commands.h"
#include "kernels/error.h"
#include "kernels/text.h"

static char *archive;
static gboolean json;
static double alike, motion, evidence, still, least;

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive", "FOLDER" },
  { "alike", 0, 0, G_OPTION_ARG_DOUBLE, &alike, "least likeness of the colours of each two moments, 0 to 1 (0.9)", "SCORE" },
  { "motion", 0, 0, G_OPTION_ARG_DOUBLE, &motion, "least agreement of how colours change, -1 to 1 (0.3)", "SCORE" },
  { "evidence", 0, 0, G_OPTION_ARG_DOUBLE, &evidence, "least evidence: atanh of that agreement, times the root of the seconds (1.6)", "AMOUNT" },
  { "still", 0, 0, G_OPTION_ARG_DOUBLE, &still, "least likeness where nothing changes, 0 to 1 (0.99)", "SCORE" },
  { "least", 0, 0, G_OPTION_ARG_DOUBLE, &least, "shorter pieces are left out (2)", "SECONDS" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

static void
add_piece (JsonBuilder *builder, const char *name, const RvmPiece *piece)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  rvm_archive_add_bytes (builder, "path", piece->record->path);
  rvm_archive_add_number (builder, "start", piece->start);
  rvm_archive_add_number (builder, "end", piece->end);
  json_builder_end_object (builder);
}

static void
print_json (const RvmTable *table, const GArray *duplicates)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  rvm_archive_add_number (builder, "moments", table->n);
  json_builder_set_member_name (builder, "duplicates");
  json_builder_begin_array (builder);
  for (guint i = 0; i < duplicates->len; i++) {
    const RvmDuplicate *duplicate = &g_array_index (duplicates, RvmDuplicate, i);

    json_builder_begin_object (builder);
    add_piece (builder, "a", &duplicate->a);
    add_piece (builder, "b", &duplicate->b);
    rvm_archive_add_number (builder, "moments", duplicate->moments);
    rvm_archive_add_real (builder, "score", duplicate->score);
    if (isnan (duplicate->motion))
      rvm_archive_add_text (builder, "motion", NULL);
    else
      rvm_archive_add_real (builder, "motion", duplicate->motion);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  rvm_archive_print_json (builder);
}

static void
print_text (const RvmTable *table, const GArray *duplicates)
{
  for (guint i = 0; i < duplicates->len; i++) {
    const RvmDuplicate *duplicate = &g_array_index (duplicates, RvmDuplicate, i);
    const RvmPiece *a = &duplicate->a, *b = &duplicate->b;
    g_autofree char *name_a = rvm_name_escape (a->record->path), *name_b = rvm_name_escape (b->record->path);

    g_print ("%6.3f  %8.2f to %8.2f s  %s\n", duplicate->score, a->start / 1e9, a->end / 1e9, name_a);
    if (isnan (duplicate->motion))
      g_print (" still");
    else
      g_print ("%6.3f", duplicate->motion);
    g_print ("  %8.2f to %8.2f s  %s\n", b->start / 1e9, b->end / 1e9, name_b);
  }
  if (duplicates->len == 0)
    g_print ("no duplicates among %" G_GSIZE_FORMAT " moments of %u videos\n", table->n, table->spans->len);
}

static gboolean
run (RvmDatabase *database, const char *const *names, GError **error)
{
  const RvmDuplicateOptions options = { .alike = alike, .motion = motion, .evidence = evidence, .still = still, .least = (gint64) (least * 1e9) };
  g_autoptr (RvmTable) table = NULL;
  g_autofree gboolean *marked = NULL;
  g_autoptr (GArray) duplicates = NULL;

  if (!(table = rvm_archive_load_colours (database, names, &marked, error)))
    return FALSE;
  duplicates = rvm_duplicates_find (table, marked, &options);
  if (json)
    print_json (table, duplicates);
  else
    print_text (table, duplicates);
  return TRUE;
}

int
rvm_archive_duplicates (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDatabase) database = NULL;
  g_auto (GStrv) names = NULL;
  int status;

  alike = rvm_duplicate_defaults.alike;
  motion = rvm_duplicate_defaults.motion;
  evidence = rvm_duplicate_defaults.evidence;
  still = rvm_duplicate_defaults.still;
  least = rvm_duplicate_defaults.least / 1e9;
  status = rvm_archive_parse (&argc, &argv, entries, "[VIDEO...] --archive FOLDER",
      "Says which moments of which videos are the same: whole copies and pieces, re-encoded, scaled or mirrored. With names, only what these videos have in"
      " common with any other.", &names);
  if (status >= 0)
    return status;
  if (!(alike >= 0 && alike <= 1) || !(motion >= -1 && motion <= 1) || !(evidence >= -1e6 && evidence < 1e6) || !(still >= 0 && still <= 1) || !(least >= 0 && least < 1e6)) {
    g_printerr ("rvm-archive: --alike and --still are 0 to 1, --motion is -1 to 1, --evidence a number, --least 0 or more seconds\n");
    return 2;
  }
  database = rvm_archive_open (archive, &error);
  if (database && run (database, (const char *const *) names, &error))
    return 0;
  return rvm_archive_fail (error, g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) ? 2 : 1);
}
