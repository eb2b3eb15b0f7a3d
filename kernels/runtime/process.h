/* The process that OpenCL belongs to. Drivers keep threads, which a child made by fork() does not have: a call there would wait for them for
 * ever. So whatever calls OpenCL asks here first, before it takes a lock, which a thread of the parent may have held when it forked. Thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* This process calls OpenCL from now on. */
void rvm_process_begin (void);
/* Whether this process was forked from one that had called OpenCL, and has not become another program since. Costs a system call. */
gboolean rvm_process_is_forked (void);
/* FALSE with RVM_ERROR_DEVICE if so. */
gboolean rvm_process_check (GError **error);

G_END_DECLS
