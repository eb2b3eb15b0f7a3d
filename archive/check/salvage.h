/* A new database from what can be read of a damaged one. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Sets the database at @path aside, with ".damaged" and a number at the end of its name, and makes another from the records in it that are whole.
 * (transfer full): a sentence about it. Nobody else may have the archive. */
char *rvm_salvage (const char *path, GError **error);

G_END_DECLS
