/* Between source.c and source_names.c. */
#pragma once
#include "source.h"

gboolean rvm_source_fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3); /* sets @error; always FALSE */

/* Whether @argument is neither a file that exists, nor an address, nor standard input. */
gboolean rvm_source_is_set (const char *argument);

/* The pictures (or videos) among the files that it then names, in order; NULL with @error where it names both or neither. */
GPtrArray *rvm_source_choose (const char *argument, gboolean *pictures, GError **error);
