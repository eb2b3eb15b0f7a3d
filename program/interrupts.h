/* Signals that ask the process to end: Ctrl-C, kill, a terminal that closes, an output that nobody reads any more, a limit of CPU time. While they
 * are caught they are only counted, so that the work at hand can be finished and saved. This is state of the whole process and cannot be nested. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Begins to catch them. SIGHUP, SIGPIPE and SIGXCPU stay ignored if they were when the process was started. */
void rvm_interrupts_catch (void);
/* Restores what was set before rvm_interrupts_catch(). */
void rvm_interrupts_release (void);
/* The same, and raises again a signal that came meanwhile. */
void rvm_interrupts_deliver (void);

/* How many signals have come since rvm_interrupts_catch(). A write into a closed pipe counts only as the first. */
guint rvm_interrupts_count (void);
/* The exit status that a shell reports for a process that the first signal ended: 128 and its number; 0: there was none. Also valid after
 * rvm_interrupts_release(). */
int rvm_interrupts_get_status (void);

G_END_DECLS
