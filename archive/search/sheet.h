/* A contact sheet of answers: the picture that was asked with, and the best moment of each answer. PNG. */
#pragma once

#include "answer.h"
#include "regions.h"

G_BEGIN_DECLS

/* @region: what was asked for of the picture; its box or point is drawn. @best (nullable): of each row, the patch that is most like it, which is drawn, too.
 * @answers: of RvmAnswer. A video that cannot be read any more is drawn as an empty picture with its name. RVM_ERROR_FILE if @path cannot be written. */
gboolean rvm_sheet_write (const char *path, const char *asked, gint64 asked_time, const RvmRegion *region, const GArray *answers, const guint32 *best,
    GError **error);

G_END_DECLS
