/* What one video is found to be: it is read and analysed from its first frame to its last. Any number of threads may look at different videos with one
 * RvmLook, whose model they share. */
#pragma once

#include "options.h"

G_BEGIN_DECLS

/* @known (nullable): the earlier record of that path, whose size is still that. @milliseconds (nullable): atomic, how far into the video it is. */
RvmLookResult rvm_look_at (const RvmLook *look, const char *path, const RvmRecord *known, gint *milliseconds, RvmRecord **record, GError **error);

G_END_DECLS
