/* Keeps a folder of cached files within a size. The modification time of a file is when it was last used. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Deletes the least recently used of the files whose name @is_entry accepts, until the rest of them takes at most @most bytes. Other files stay, and so do
 * those that cannot be deleted. */
void rvm_cache_prune (const char *folder, gboolean (*is_entry) (const char *name), guint64 most);

G_END_DECLS
