/* Processes with Open MPI. An error inside MPI ends all processes with MPI's own message, which is its default. */
#include "parallel.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>

#include "kernels/error.h"

/* A sum of more values than MPI counts in an int goes in several pieces. */
#define PIECE ((gsize) 1 << 28)

struct _RvmParallelSum {
  int n;
  MPI_Request requests[];
};

static int rank, size = 1;

gboolean
rvm_parallel_start (GError **error)
{
  int provided, initialised;

  if (g_getenv ("OMPI_COMM_WORLD_SIZE") == NULL && g_getenv ("PMI_SIZE") == NULL)
    return TRUE;
  MPI_Initialized (&initialised);
  if (!initialised && MPI_Init_thread (NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_DEVICE, "MPI cannot be initialised");
    return FALSE;
  }
  MPI_Comm_rank (MPI_COMM_WORLD, &rank);
  MPI_Comm_size (MPI_COMM_WORLD, &size);
  return TRUE;
}

void
rvm_parallel_stop (void)
{
  int initialised, finalised;

  MPI_Initialized (&initialised);
  MPI_Finalized (&finalised);
  if (initialised && !finalised)
    MPI_Finalize ();
}

void
rvm_parallel_abort (int status)
{
  if (size > 1)
    MPI_Abort (MPI_COMM_WORLD, status);
}

guint
rvm_parallel_get_rank (void)
{
  return rank;
}

guint
rvm_parallel_get_size (void)
{
  return size;
}

void
rvm_parallel_sum (double *values, guint n)
{
  if (size > 1)
    MPI_Allreduce (MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

guint64
rvm_parallel_broadcast (guint64 value)
{
  if (size > 1)
    MPI_Bcast (&value, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
  return value;
}

RvmParallelSum *
rvm_parallel_begin_sum (float *values, gsize n)
{
  const gsize pieces = (n + PIECE - 1) / PIECE;
  RvmParallelSum *sum = g_malloc (sizeof *sum + pieces * sizeof *sum->requests);

  sum->n = pieces;
  for (gsize i = 0; i < pieces; i++)
    MPI_Iallreduce (MPI_IN_PLACE, values + i * PIECE, MIN (PIECE, n - i * PIECE), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &sum->requests[i]);
  return sum;
}

gboolean
rvm_parallel_test (RvmParallelSum *sum)
{
  int done;

  MPI_Testall (sum->n, sum->requests, &done, MPI_STATUSES_IGNORE);
  if (done)
    g_free (sum);
  return done;
}
