/* Each part has a host copy and a sum in progress. The thread that has enqueued the backward pass is free meanwhile, so it advances MPI. */
#include "reduce.h"


#include "kernels/runtime/mark.h"
#include "parallel.h"

enum { POLL_MICROSECONDS = 100 };

typedef struct {
  GArray *arrays; /* of guint: indices of the gradients' arrays */
  gsize count;    /* floats */
  float *values;
  RvmMark *mark;
  RvmParallelSum *sum;
  gboolean begun, done;
} Part;

struct _RvmReduce {
  const RvmGradients *gradients;
  guint n_parts; /* decoder, core, blocks from the last to the first, the rest */
  Part *parts;
  guint64 bytes, overlapped;
};

/* Which part the array with this name belongs to. */
static guint
find_part (const char *name, guint n_parts)
{
  const guint blocks = n_parts - 3;
  RvmSchemaEntry entry;

  g_return_val_if_fail (rvm_schema_find (name, &entry), 0);
  switch (entry.row->part) {
    case RVM_PART_DECODER:
      return 0;
    case RVM_PART_CORE:
      return 1;
    case RVM_PART_ENCODER:
      if (rvm_schema_is_in_block (entry.row))
        return 2 + (blocks - 1 - MIN (entry.block, blocks - 1));
      return n_parts - 1;
    default:
      return n_parts - 1;
  }
}

RvmReduce *
rvm_reduce_new (const RvmModel *model, const RvmGradients *gradients)
{
  RvmReduce *reduce = g_new0 (RvmReduce, 1);

  reduce->gradients = gradients;
  reduce->n_parts = 3 + model->config.encoder.layers;
  reduce->parts = g_new0 (Part, reduce->n_parts);
  for (guint p = 0; p < reduce->n_parts; p++)
    reduce->parts[p].arrays = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < rvm_gradients_get_n_arrays (gradients); i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (gradients, i);
    Part *part = &reduce->parts[find_part (array->name, reduce->n_parts)];

    g_array_append_val (part->arrays, i);
    part->count += array->count;
  }
  for (guint p = 0; p < reduce->n_parts; p++)
    reduce->parts[p].values = g_new (float, reduce->parts[p].count);
  return reduce;
}

void
rvm_reduce_free (RvmReduce *reduce)
{
  if (reduce == NULL)
    return;
  for (guint p = 0; p < reduce->n_parts; p++) {
    g_array_unref (reduce->parts[p].arrays);
    g_free (reduce->parts[p].values);
    rvm_mark_free (reduce->parts[p].mark);
  }
  g_free (reduce->parts);
  g_free (reduce);
}

/* Calls @transfer for every array of a part with its place in the host copy. */
static void
transfer_part (const RvmReduce *reduce, const Part *part, RvmQueue *queue, gboolean write)
{
  gsize at = 0;

  for (guint i = 0; i < part->arrays->len; i++) {
    const RvmGradientArray *array = rvm_gradients_get_array (reduce->gradients, g_array_index (part->arrays, guint, i));
    const gsize size = (gsize) array->count * sizeof (float);

    if (write)
      rvm_queue_write (queue, array->gradient, 0, part->values + at, size);
    else
      rvm_queue_read (queue, array->gradient, 0, part->values + at, size);
    at += array->count;
  }
}

static void
begin_part (RvmReduce *reduce, RvmQueue *queue, guint p)
{
  Part *part = &reduce->parts[p];

  g_return_if_fail (!part->begun);
  transfer_part (reduce, part, queue, FALSE);
  part->mark = rvm_queue_mark (queue);
  part->begun = TRUE;
}

void
rvm_reduce_decoder_done (RvmReduce *reduce, RvmQueue *queue)
{
  begin_part (reduce, queue, 0);
}

void
rvm_reduce_core_done (RvmReduce *reduce, RvmQueue *queue)
{
  begin_part (reduce, queue, 1);
}

void
rvm_reduce_block_done (RvmReduce *reduce, RvmQueue *queue, guint block)
{
  begin_part (reduce, queue, 2 + (reduce->n_parts - 4 - block));
}

/* Begins the sums of parts that the device has completed, in their order, which is the same in every process. */
static guint
move_on (RvmReduce *reduce, guint begun)
{
  for (guint p = 0; p < begun; p++) {
    Part *part = &reduce->parts[p];
    if (!part->done && rvm_parallel_test (part->sum))
      part->done = TRUE;
  }
  while (begun < reduce->n_parts && rvm_mark_is_reached (reduce->parts[begun].mark)) {
    Part *part = &reduce->parts[begun++];
    g_clear_pointer (&part->mark, rvm_mark_free);
    part->sum = rvm_parallel_begin_sum (part->values, part->count);
  }
  return begun;
}

gboolean
rvm_reduce_finish (RvmReduce *reduce, RvmQueue *queue, GError **error)
{
  guint begun = 0, done = 0;

  begin_part (reduce, queue, reduce->n_parts - 1);
  for (guint p = 0; p < reduce->n_parts; p++)
    if (!reduce->parts[p].begun || reduce->parts[p].mark == NULL)
      return rvm_queue_finish (queue, error);
  while (done < reduce->n_parts) {
    const gboolean running = begun < reduce->n_parts;

    begun = move_on (reduce, begun);
    done = 0;
    for (guint p = 0; p < reduce->n_parts; p++)
      done += reduce->parts[p].done;
    if (running && begun == reduce->n_parts) /* the device has just finished */
      for (guint p = 0; p < reduce->n_parts; p++)
        reduce->overlapped += reduce->parts[p].done ? reduce->parts[p].count * sizeof (float) : 0;
    if (done < reduce->n_parts)
      g_usleep (POLL_MICROSECONDS);
  }
  for (guint p = 0; p < reduce->n_parts; p++) {
    reduce->bytes += reduce->parts[p].count * sizeof (float);
    reduce->parts[p].begun = reduce->parts[p].done = FALSE;
    transfer_part (reduce, &reduce->parts[p], queue, TRUE);
  }
  return TRUE;
}

void
rvm_reduce_get_overlap (const RvmReduce *reduce, guint64 *bytes, guint64 *overlapped)
{
  *bytes = reduce->bytes;
  *overlapped = reduce->overlapped;
}
