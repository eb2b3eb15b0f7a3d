/* RvmProgress: what a long job says while it works: one line that renews itself on a terminal, a plain line now and then elsewhere. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmProgress RvmProgress;

RvmProgress *rvm_progress_new (guint64 first, guint64 last, gboolean rewrite); /* steps: done before, in all; may the line renew itself */
void rvm_progress_free (RvmProgress *progress); /* ends the line */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmProgress, rvm_progress_free)

/* After step @step. @text is put behind step and share; @waited: seconds since the last call in which the device had nothing to do. */
void rvm_progress_update (RvmProgress *progress, guint64 step, double waited, const char *text);

double rvm_progress_get_rate (const RvmProgress *progress); /* steps a second, lately */
double rvm_progress_get_utilisation (const RvmProgress *progress); /* 0..1, lately */

G_END_DECLS
