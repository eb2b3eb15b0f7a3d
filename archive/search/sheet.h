/* A contact sheet of answers: the picture that was asked with, and the best moment of each answer. PNG. */
#pragma once

#include "answer.h"

G_BEGIN_DECLS

/* @answers: of RvmAnswer. A video that cannot be read any more is drawn as an empty picture with its name. RVM_ERROR_FILE if @path cannot be written. */
gboolean rvm_sheet_write (const char *path, const char *asked, gint64 asked_time, const GArray *answers, GError **error);

G_END_DECLS
