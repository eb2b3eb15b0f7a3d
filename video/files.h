/* Finds the files that the arguments --data, --photos and --sprites name. An argument is a file, a folder, which is searched recursively, or a list
 * (.txt) with a path on each line, relative to the list's folder. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) (element-type filename): absolute paths, sorted, so that the order of the arguments does not matter. A file that several links lead
 * to is listed once: under its own name if that was found, otherwise under the first of the others. Hidden files and folders are left out. Broken
 * links and special files are listed: the caller reports them. A name in @names that does not exist is RVM_ERROR_FILE. */
GPtrArray *rvm_files_expand (const char *const *names, GError **error);

/* As rvm_files_expand() of @folder, for files whose names say what they are of: one that several links lead to is listed under each of its names. */
GPtrArray *rvm_files_list_names (const char *folder, GError **error);

/* (transfer full) (nullable): the same text for every path that leads to the same file or folder; NULL if none is there. */
char *rvm_files_identify (const char *path);

G_END_DECLS
