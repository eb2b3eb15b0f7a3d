/* The commands of rvm-archive. Each is given its own arguments, with its name in argv[0], and returns the exit status: 0, 1 after an error, 2 if the
 * arguments are wrong. */
#pragma once

#include <json-glib/json-glib.h>

#include "archive/search/table.h"

G_BEGIN_DECLS

int rvm_archive_index (int argc, char **argv);
int rvm_archive_status (int argc, char **argv);
int rvm_archive_search (int argc, char **argv);
int rvm_archive_scenes (int argc, char **argv);
int rvm_archive_duplicates (int argc, char **argv);
int rvm_archive_check (int argc, char **argv);
int rvm_archive_export (int argc, char **argv);

/* Prints "rvm-archive: " and the error's message to standard error; returns @status. */
int rvm_archive_fail (const GError *error, int status);

/* Parses @argv with @entries; @about: what follows "rvm-archive COMMAND" in the help, and a sentence. @names (nullable): gets what is left, NULL: nothing
 * may be left. Returns the exit status if it is the end, or -1. */
int rvm_archive_parse (int *argc, char ***argv, const GOptionEntry *entries, const char *usage, const char *summary, GStrv *names);

/* Opens the archive that --archive names for reading; RVM_ERROR_ARGUMENT if it was not given, RVM_ERROR_FILE if nothing is merged in it, with what is
 * there instead. Says on standard error what is not merged yet. */
RvmDatabase *rvm_archive_open (const char *folder, GError **error);
/* The same, also one without any video, which has no settings. */
RvmDatabase *rvm_archive_open_any (const char *folder, GError **error);

/* The colours of all moments of an archive, which is held meanwhile. @marked: of each span, whether the video is one of @names, which must be in the archive
 * (RVM_ERROR_ARGUMENT); NULL if there are no names. */
RvmTable *rvm_archive_load_colours (RvmDatabase *database, const char *const *names, gboolean **marked, GError **error);

/* Prints JSON on a line of its own. */
void rvm_archive_print_json (JsonBuilder *builder);
void rvm_archive_add_text (JsonBuilder *builder, const char *name, const char *value);   /* null if NULL */
void rvm_archive_add_bytes (JsonBuilder *builder, const char *name, const char *value);  /* as rvm_name_escape() has it */
void rvm_archive_add_number (JsonBuilder *builder, const char *name, gint64 value);      /* null if RVM_UNKNOWN */
void rvm_archive_add_real (JsonBuilder *builder, const char *name, double value);

G_END_DECLS
