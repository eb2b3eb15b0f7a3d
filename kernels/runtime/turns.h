/* RvmTurns: whose frame a device works on. First come, first served: a stream that waits is overtaken by nobody, so streams of one device get
 * equally many turns as long as they want them, whatever their sizes. Thread-safe.
 *
 * A turn is held while a frame is on the device and by nobody who waits for anything else: no deadlock can come of it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmTurns RvmTurns;

RvmTurns *rvm_turns_new (guint at_once); /* turns held at the same time, >= 1 */
void rvm_turns_free (RvmTurns *turns);

void rvm_turns_take (RvmTurns *turns); /* waits for it */
void rvm_turns_end (RvmTurns *turns);

guint rvm_turns_get_waiting (RvmTurns *turns);

G_END_DECLS
