/* Compares process ids. Handlers of pthread_atfork() would not run in a child that was made without the C library. */
#include "process.h"

#include <unistd.h>

#include "kernels/error.h"

/* Process id; 0 before the first call of OpenCL. */
static gint owner;

void
rvm_process_begin (void)
{
  g_atomic_int_compare_and_exchange (&owner, 0, (gint) getpid ());
}

gboolean
rvm_process_is_forked (void)
{
  const gint first = g_atomic_int_get (&owner);

  return first != 0 && first != (gint) getpid ();
}

gboolean
rvm_process_check (GError **error)
{
  if (!rvm_process_is_forked ())
    return TRUE;
  g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE,
      "process %d was forked from process %d, which had used OpenCL, and OpenCL does not work in such a child: fork before the first device is"
      " opened, or start a new program (in Python: the start method 'spawn' of multiprocessing)", (int) getpid (), g_atomic_int_get (&owner));
  return FALSE;
}
