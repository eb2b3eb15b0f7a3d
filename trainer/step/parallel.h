/* The processes of a data-parallel run, one per rank, as `mpirun -np N rvm-cl-train ...` starts them (Open MPI). Without mpirun there is
 * one process, and the functions have nothing to do. Built without Open MPI (parallel_absent.c), being started by mpirun is an error.
 *
 * To be called from one thread. Sums are over all processes, in place; every process makes the same calls in the same order. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Joins the other processes, if there are any. */
gboolean rvm_parallel_start (GError **error);
/* Leaves them. Waits until all processes have called it. */
void rvm_parallel_stop (void);
/* Ends all processes at once. Does nothing if there is only one. */
void rvm_parallel_abort (int status);

guint rvm_parallel_get_rank (void); /* 0: the one that writes */
guint rvm_parallel_get_size (void);

void rvm_parallel_sum (double *values, guint n);
/* Returns the value of rank 0 in all processes. */
guint64 rvm_parallel_broadcast (guint64 value);

/* A sum in progress: @values must not be used until rvm_parallel_test() has returned TRUE, which also frees it. Each test advances all sums. */
typedef struct _RvmParallelSum RvmParallelSum;
RvmParallelSum *rvm_parallel_begin_sum (float *values, gsize n);
gboolean rvm_parallel_test (RvmParallelSum *sum);

G_END_DECLS
