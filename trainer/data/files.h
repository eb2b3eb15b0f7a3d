/* What the arguments --data, --photos and --sprites name: files, folders (searched to the bottom) and lists (.txt, a path per line, paths
 * relative to the list's folder). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) (element-type filename): absolute paths, sorted, so that the same material gives the same samples in any order of
 * arguments. Every file is there once, however many links lead to it: under its own name, if that was found, or else the first of the
 * others. Hidden files and folders are left out; what is neither a file nor a folder, such as a link to nothing, is not. A name that
 * does not exist is RVM_ERROR_FILE. */
GPtrArray *rvm_files_expand (const char *const *names, GError **error);

/* (transfer full) (nullable): the same text for every path that leads to the same file or folder; NULL if none is there. */
char *rvm_files_identify (const char *path);

G_END_DECLS
