/* rvm-archive check: 0 if the archive is whole or was mended, 1 if not. */
#include "archive/check/check.h"
#include "commands.h"
#include "kernels/text.h"

static char *archive;
static gboolean json, mend, digest;

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive", "FOLDER" },
  { "mend", 0, 0, G_OPTION_ARG_NONE, &mend, "take out what is damaged, so that 'index' makes it again", NULL },
  { "digest", 0, 0, G_OPTION_ARG_NONE, &digest, "print the digest of all that is in it: equal digests, equal archives", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

static void
print_json (const RvmCheck *check)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  rvm_archive_add_number (builder, "files", check->files);
  rvm_archive_add_text (builder, "digest", *check->digest ? check->digest : NULL);
  rvm_archive_add_text (builder, "unmerged", check->unmerged);
  json_builder_set_member_name (builder, "faults");
  json_builder_begin_array (builder);
  for (guint i = 0; i < check->faults->len; i++) {
    const RvmFault *fault = g_ptr_array_index (check->faults, i);

    json_builder_begin_object (builder);
    rvm_archive_add_bytes (builder, "name", fault->name);
    rvm_archive_add_text (builder, "what", fault->what);
    json_builder_set_member_name (builder, "mended");
    json_builder_add_boolean_value (builder, fault->mended);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  rvm_archive_print_json (builder);
}

static void
print_text (const RvmCheck *check)
{
  for (guint i = 0; i < check->faults->len; i++) {
    const RvmFault *fault = g_ptr_array_index (check->faults, i);
    g_autofree char *name = rvm_name_escape (fault->name);

    g_print ("%s: %s%s\n", name, fault->what, fault->mended ? " (taken out)" : "");
  }
  if (digest && *check->digest)
    g_print ("%s\n", check->digest);
  else if (check->faults->len == 0)
    g_print ("%u files, %u of them with features beside the database: all is whole\n", check->files, check->moments_files);
  else if (!mend)
    g_print ("%u faults: --mend takes them out\n", check->faults->len);
  if (check->unmerged)
    g_printerr ("rvm-archive: not checked: %s\n", check->unmerged);
}

int
rvm_archive_check (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmCheck) check = NULL;
  const int status = rvm_archive_parse (&argc, &argv, entries, "--archive FOLDER",
      "Reads all of an archive, and compares it with the hashes that it was written with.", NULL);

  if (status >= 0)
    return status;
  if (archive == NULL) {
    g_printerr ("rvm-archive: which archive? --archive FOLDER names it\n");
    return 2;
  }
  check = rvm_check_run (archive, mend, &error);
  if (check == NULL)
    return rvm_archive_fail (error, 1);
  if (json)
    print_json (check);
  else
    print_text (check);
  for (guint i = 0; i < check->faults->len; i++)
    if (!((const RvmFault *) g_ptr_array_index (check->faults, i))->mended)
      return 1;
  return 0;
}
