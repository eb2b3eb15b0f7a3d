/* Which share of the work is this process's, where several work on one archive: what mpirun, Slurm or Kubernetes say in the environment. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint rank, size; /* 0 and 1: alone */
} RvmRank;

/* @rank, @size: from the command line, negative where not given. RVM_ERROR_ARGUMENT. */
gboolean rvm_rank_find (gint rank, gint size, RvmRank *found, GError **error);

G_END_DECLS
