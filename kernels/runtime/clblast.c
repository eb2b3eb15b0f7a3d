/* One thread at a time until CLBlast has filled its table of parameters. */
#include "clblast.h"

#include "cl.h"

#include <clblast_c.h>

/* CLBlast 1.5.3 fills its table of parameters at its first call, without a lock: when two streams started together, both filled the same memory
 * (found by AddressSanitizer). So each call runs alone until one has succeeded. */
static GMutex alone_lock;
static gint filled;

gboolean
rvm_clblast_begin (void)
{
  if (g_atomic_int_get (&filled))
    return FALSE;
  g_mutex_lock (&alone_lock);
  return TRUE;
}

void
rvm_clblast_end (gboolean alone, gboolean succeeded)
{
  if (!alone)
    return;
  if (succeeded)
    g_atomic_int_set (&filled, TRUE);
  g_mutex_unlock (&alone_lock);
}

void
rvm_clblast_forget (void)
{
  CLBlastClearCache ();
}
