/* RvmTurns: whose frame a device works on. Thread-safe.
 *
 * Turns are given in the order in which they were asked for, so the streams of a device that all have frames waiting get equally many turns,
 * whatever the sizes of their frames. A turn is held only while a frame is on the device. Its holder waits for nothing else meanwhile, so turns
 * cannot deadlock. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmTurns RvmTurns;

RvmTurns *rvm_turns_new (guint at_once); /* how many turns may be held at the same time, at least 1 */
void rvm_turns_free (RvmTurns *turns);

void rvm_turns_take (RvmTurns *turns); /* blocks until it is this thread's turn */
void rvm_turns_end (RvmTurns *turns);

guint rvm_turns_get_waiting (RvmTurns *turns); /* threads in rvm_turns_take() */

G_END_DECLS
