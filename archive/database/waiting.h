/* What is done where another process has a file locked: how long it is waited for, and who that is. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @seconds: what the environment's RVM_ARCHIVE_WAIT says, or @usual. RVM_ERROR_ARGUMENT if it is no number of seconds. */
gboolean rvm_waiting_get_seconds (double usual, double *seconds, GError **error);

/* (transfer full) (nullable): the processes of this computer that have @path locked, other than this one: "process 1234 (rvm-archive, stopped)". NULL if
 * none is known: it may run on another computer, in another container, or as another user. */
char *rvm_waiting_describe_holders (const char *path);

G_END_DECLS
