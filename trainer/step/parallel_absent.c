/* One process: the program was built without Open MPI. */
#include "parallel.h"

#include "kernels/error.h"

gboolean
rvm_parallel_start (GError **error)
{
  if (g_getenv ("OMPI_COMM_WORLD_SIZE") == NULL && g_getenv ("PMI_SIZE") == NULL)
    return TRUE;
  g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
      "started by mpirun, but built without Open MPI (libopenmpi-dev): every process would train for itself");
  return FALSE;
}

void
rvm_parallel_stop (void)
{
}

void
rvm_parallel_abort (int status)
{
}

guint
rvm_parallel_get_rank (void)
{
  return 0;
}

guint
rvm_parallel_get_size (void)
{
  return 1;
}

void
rvm_parallel_sum (double *values, guint n)
{
}

guint64
rvm_parallel_broadcast (guint64 value)
{
  return value;
}

RvmParallelSum *
rvm_parallel_begin_sum (float *values, gsize n)
{
  return NULL;
}

gboolean
rvm_parallel_test (RvmParallelSum *sum)
{
  return TRUE;
}
