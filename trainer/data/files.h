/* What the arguments --data, --photos and --sprites name: files, folders (searched to the bottom) and lists (.txt, a path per line, paths
 * relative to the list's folder). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) (element-type filename): sorted, each once, so that the same material gives the same samples in any order of arguments.
 * Hidden files are left out. A name that does not exist is RVM_ERROR_FILE. */
GPtrArray *rvm_files_expand (const char *const *names, GError **error);

G_END_DECLS
