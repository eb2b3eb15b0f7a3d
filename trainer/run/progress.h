/* RvmProgress: the progress of a long job: one line that is rewritten on a terminal, and otherwise a new line from time to time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmProgress RvmProgress;

RvmProgress *rvm_progress_new (guint64 first, guint64 last, gboolean rewrite); /* steps that were done before; all steps; whether the line may be rewritten */
void rvm_progress_free (RvmProgress *progress); /* ends the line */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmProgress, rvm_progress_free)

/* Called after step @step. @text: printed after the step's number. @waited: seconds since the last call in which the device was idle. */
void rvm_progress_update (RvmProgress *progress, guint64 step, double waited, const char *text);

double rvm_progress_get_rate (const RvmProgress *progress); /* steps a second, recent average without the first step */
double rvm_progress_get_utilisation (const RvmProgress *progress); /* 0..1, recent average */

G_END_DECLS
