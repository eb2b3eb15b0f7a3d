/* The signals that ask a process to end: Ctrl-C, kill, a terminal that closes, a reader of its output that has gone, a limit of CPU
 * time. While they are caught they are only counted, so that what is at hand can be brought to an end and saved. Caught for the whole
 * process, once at a time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* From now on. SIGHUP, SIGPIPE and SIGXCPU are ignored where they were when the process was started. */
void rvm_interrupts_catch (void);
/* As before rvm_interrupts_catch(). */
void rvm_interrupts_release (void);
/* The same, and a signal that came meanwhile then does what it would have done. */
void rvm_interrupts_deliver (void);

/* While they are caught. A write into a closed pipe counts if nothing came before it. */
guint rvm_interrupts_count (void);
/* What a shell reports of a process that the first of them ended, 128 and its number, also when they are no longer caught; 0: there
 * was none. */
int rvm_interrupts_get_status (void);

G_END_DECLS
