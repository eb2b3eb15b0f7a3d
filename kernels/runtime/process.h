/* The process that OpenCL belongs to. Thread-safe.
 *
 * Drivers keep threads. A child made by fork() does not have them, so a call of OpenCL there would wait forever. Every function that calls OpenCL checks
 * this first, before it takes a lock, because a thread of the parent may have held that lock when the process forked. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* To be called before the first call of OpenCL: it belongs to this process from now on. */
void rvm_process_begin (void);
/* Whether this process was forked from one that had called OpenCL, and has not become another program since. Costs a system call. */
gboolean rvm_process_is_forked (void);
/* FALSE with RVM_ERROR_DEVICE if the process is such a child. */
gboolean rvm_process_check (GError **error);

G_END_DECLS
