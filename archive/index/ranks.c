/* Open MPI and MPICH number the processes of mpirun; Slurm those of srun, and the tasks of an array, and both together where srun is called in an
 * array; Kubernetes numbers the pods of an indexed job, but does not say how many there are. */
#include "ranks.h"

#include "kernels/error.h"

/* FALSE with an error if the variable is there and no number up to 1000000; -1: it is not there. */
static gboolean
read_variable (const char *name, gint64 *value, GError **error)
{
  const char *text = g_getenv (name);
  guint64 number = 0;

  *value = -1;
  if (text == NULL || *text == '\0')
    return TRUE;
  if (!g_ascii_string_to_unsigned (text, 10, 0, 1000000, &number, NULL)) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s is '%s' in the environment, expected a number from 0 to 1000000 (--rank and --ranks say otherwise)",
        name, text);
    return FALSE;
  }
  *value = number;
  return TRUE;
}

static gboolean
read_slurm (gint64 *rank, gint64 *size, GError **error)
{
  gint64 id, count, least, step, process, processes, in_job;

  if (!read_variable ("SLURM_ARRAY_TASK_ID", &id, error) || !read_variable ("SLURM_ARRAY_TASK_COUNT", &count, error)
      || !read_variable ("SLURM_ARRAY_TASK_MIN", &least, error) || !read_variable ("SLURM_ARRAY_TASK_STEP", &step, error)
      || !read_variable ("SLURM_PROCID", &process, error) || !read_variable ("SLURM_STEP_NUM_TASKS", &processes, error)
      || !read_variable ("SLURM_NTASKS", &in_job, error))
    return FALSE;
  if (processes < 0)
    processes = in_job;
  if (process < 0 || processes < 1) {
    process = 0;
    processes = 1;
  }
  if (id >= 0 && count > 0) {
    *rank = (id - MAX (least, 0)) / MAX (step, 1) * processes + process;
    *size = count * processes;
  } else if (processes > 1) {
    *rank = process;
    *size = processes;
  }
  return TRUE;
}

static gboolean
read_environment (gint64 *rank, gint64 *size, GError **error)
{
  static const char *const pairs[][2] = { { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE" }, { "PMI_RANK", "PMI_SIZE" } };

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    if (!read_variable (pairs[i][0], rank, error) || !read_variable (pairs[i][1], size, error))
      return FALSE;
    if (*rank >= 0 && *size >= 1)
      return TRUE;
  }
  *rank = *size = -1;
  if (!read_slurm (rank, size, error))
    return FALSE;
  return *rank >= 0 || read_variable ("JOB_COMPLETION_INDEX", rank, error);
}

gboolean
rvm_rank_find (gint rank, gint size, RvmRank *found, GError **error)
{
  gint64 known_rank = rank, known_size = size;

  if (rank < 0 && !read_environment (&known_rank, &known_size, error))
    return FALSE;
  if (size >= 0)
    known_size = size;
  if (known_rank >= 0 && known_size < 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "this is process %" G_GINT64_FORMAT " of several, but nothing says of how many: --ranks does", known_rank);
    return FALSE;
  }
  if (known_rank < 0)
    known_rank = known_size > 1 ? known_size : 0; /* refused below */
  known_size = MAX (known_size, 1);
  if (known_rank >= known_size) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "of %" G_GINT64_FORMAT " processes, --rank is 0 to %" G_GINT64_FORMAT, known_size, known_size - 1);
    return FALSE;
  }
  *found = (RvmRank){ known_rank, known_size };
  return TRUE;
}
