/* Weight file -> device memory.
 *
 * The description of a network is only noted: rvm_loader_finish() then reads the arrays on a thread of its own, a few ahead of the caller's,
 * which hashes and packs them. Checking sums and widening halves takes longer than that. The few arrays on their way are all of the file
 * that is in memory twice. */
#include "loader.h"

#include <string.h>
#include <xxhash.h>

#define AHEAD 3 /* arrays read and not yet packed */

/* One thing to do, in order. */
typedef struct {
  enum { BEGIN, KERNEL, BIAS, END, VECTOR } kind;
  const RvmArray *array; /* not of BEGIN and END */
  gsize elements;
  RvmLinear *linear; /* (transfer none) */
  RvmBuffer *vector;      /* (transfer none) */
  guint k, column, columns;
} Task;

typedef struct {
  float *values;
  gsize capacity;
  GError *error; /* why reading failed; nothing follows */
} Piece;

struct _RvmLoader {
  RvmWeights *weights;
  RvmDevice *device;
  RvmGemmProvider gemm;
  RvmElement precision;
  guint k, n, column; /* of the linear layer being described */
  gboolean has_bias;
  GArray *tasks; /* of Task */
  XXH3_state_t *hash;
  GPtrArray *parameters; /* (element-type RvmParameter), NULL: nobody asked */
  GError *error;
};

RvmLoader *
rvm_loader_new (RvmWeights *weights, RvmDevice *device, RvmGemmProvider gemm, RvmElement precision)
{
  RvmLoader *loader = g_new0 (RvmLoader, 1);

  loader->weights = weights;
  loader->device = device;
  loader->gemm = gemm;
  loader->precision = precision;
  loader->tasks = g_array_new (FALSE, FALSE, sizeof (Task));
  loader->hash = XXH3_createState ();
  XXH3_128bits_reset (loader->hash);
  return loader;
}

void
rvm_loader_free (RvmLoader *loader)
{
  if (loader == NULL)
    return;
  g_array_unref (loader->tasks);
  XXH3_freeState (loader->hash);
  g_clear_pointer (&loader->parameters, g_ptr_array_unref);
  g_clear_error (&loader->error);
  g_free (loader);
}

/* Array @name, or NULL with the error set. */
static const RvmArray *
find_array (RvmLoader *loader, const char *name, gsize *count)
{
  const RvmArray *array;
  guint64 elements, bytes;

  if (loader->error)
    return NULL;
  array = rvm_weights_find (loader->weights, name);
  if (array == NULL) {
    rvm_error_set (&loader->error, RVM_ERROR_MODEL, "%s: array '%s' is missing", rvm_weights_get_path (loader->weights), name);
    return NULL;
  }
  if (!rvm_array_get_size (array, &elements, &bytes) || elements == 0 || elements > G_MAXSIZE / sizeof (float)) {
    rvm_error_set (&loader->error, RVM_ERROR_MODEL, "%s: array '%s' is empty or too large",
        rvm_weights_get_path (loader->weights), name);
    return NULL;
  }
  *count = elements;
  return array;
}

static void
note (RvmLoader *loader, Task task)
{
  if (!loader->error)
    g_array_append_val (loader->tasks, task);
}

void
rvm_loader_keep_parameters (RvmLoader *loader)
{
  loader->parameters = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_parameter_free);
}

GPtrArray *
rvm_loader_steal_parameters (RvmLoader *loader)
{
  return g_steal_pointer (&loader->parameters);
}

static void
keep_parameter (RvmLoader *loader, const char *name, RvmParameter place)
{
  RvmParameter *parameter;

  if (loader->parameters == NULL || loader->error)
    return;
  parameter = g_memdup2 (&place, sizeof place);
  parameter->array = *rvm_weights_find (loader->weights, name);
  parameter->array.name = g_strdup (name);
  parameter->array.dtype = RVM_DTYPE_F32;
  g_ptr_array_add (loader->parameters, parameter);
}

RvmBuffer *
rvm_loader_vector (RvmLoader *loader, const char *format, ...)
{
  g_autofree char *name = NULL;
  const RvmArray *array;
  RvmBuffer *buffer;
  va_list args;
  gsize elements;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  array = find_array (loader, name, &elements);
  buffer = array ? rvm_buffer_new (loader->device, elements * sizeof (float), name, &loader->error) : NULL;
  if (buffer == NULL)
    return NULL;
  note (loader, (Task){ .kind = VECTOR, .array = array, .elements = elements, .vector = buffer });
  keep_parameter (loader, name, (RvmParameter){ .vector = buffer });
  return buffer;
}

RvmLinear *
rvm_loader_begin_linear (RvmLoader *loader, guint k, guint n, gboolean has_bias)
{
  RvmLinear *linear;

  if (loader->error)
    return NULL;
  loader->k = k;
  loader->n = n;
  loader->column = 0;
  loader->has_bias = has_bias;
  linear = rvm_linear_new (loader->device, loader->gemm, loader->precision, k, n, has_bias, &loader->error);
  note (loader, (Task){ .kind = BEGIN, .linear = linear });
  return linear;
}

void
rvm_loader_add_linear (RvmLoader *loader, RvmLinear *linear, const char *format, ...)
{
  g_autofree char *name = NULL, *kernel = NULL, *bias = NULL;
  const RvmArray *array;
  va_list args;
  gsize elements, columns;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  kernel = g_strconcat (name, "/kernel", NULL);
  bias = g_strconcat (name, "/bias", NULL);

  array = find_array (loader, kernel, &elements);
  if (array == NULL)
    return;
  /* Shapes were checked by rvm_config_from_weights(): the columns are what is left after the k inputs. */
  columns = elements / loader->k;
  g_return_if_fail (elements % loader->k == 0 && columns <= loader->n - loader->column);
  note (loader,
      (Task){ .kind = KERNEL, .array = array, .elements = elements, .linear = linear, .k = loader->k, .column = loader->column, .columns = columns });
  keep_parameter (loader, kernel, (RvmParameter){ .linear = linear, .column = loader->column, .columns = columns });
  if (loader->has_bias) {
    array = find_array (loader, bias, &elements);
    if (array == NULL)
      return;
    note (loader, (Task){ .kind = BIAS, .array = array, .elements = elements, .linear = linear, .column = loader->column, .columns = columns });
    keep_parameter (loader, bias, (RvmParameter){ .linear = linear, .is_bias = TRUE, .column = loader->column, .columns = columns });
  }
  loader->column += columns;
}

RvmLinear *
rvm_loader_end_linear (RvmLoader *loader, RvmLinear *linear)
{
  note (loader, (Task){ .kind = END, .linear = linear });
  if (loader->error)
    g_clear_pointer (&linear, rvm_linear_free);
  return linear;
}

typedef struct {
  RvmLoader *loader;
  GAsyncQueue *empty, *full; /* of Piece; AHEAD of them in all */
  int stop;                  /* atomic: the caller has given up */
} Reader;

static gboolean
read_piece (RvmLoader *loader, const Task *task, Piece *piece)
{
  if (task->elements > piece->capacity) {
    g_free (piece->values);
    piece->capacity = 0;
    piece->values = g_try_new (float, task->elements);
    if (piece->values == NULL) {
      rvm_error_set (&piece->error, RVM_ERROR_MEMORY, "%s: no memory for the %" G_GSIZE_FORMAT " values of array '%s'",
          rvm_weights_get_path (loader->weights), task->elements, task->array->name);
      return FALSE;
    }
    piece->capacity = task->elements;
  }
  return rvm_weights_read (loader->weights, task->array, piece->values, &piece->error);
}

static gpointer
read_ahead (gpointer data)
{
  Reader *reader = data;
  const GArray *tasks = reader->loader->tasks;
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < tasks->len; i++) {
    const Task *task = &g_array_index (tasks, Task, i);
    Piece *piece;

    if (task->array == NULL)
      continue;
    piece = g_async_queue_pop (reader->empty);
    ok = !g_atomic_int_get (&reader->stop) && read_piece (reader->loader, task, piece);
    g_async_queue_push (reader->full, piece);
  }
  return NULL;
}

static gboolean
fill_vector (RvmBuffer *buffer, const float *values, gsize elements, GError **error)
{
  gpointer map = rvm_buffer_map_write (buffer, error);

  if (map == NULL)
    return FALSE;
  memcpy (map, values, elements * sizeof (float));
  return rvm_buffer_unmap (buffer, map, error);
}

static gboolean
do_task (RvmLoader *loader, const Task *task, const float *values)
{
  if (values) {
    XXH3_128bits_update (loader->hash, task->array->name, strlen (task->array->name) + 1);
    XXH3_128bits_update (loader->hash, values, task->elements * sizeof (float));
  }
  switch (task->kind) {
    case BEGIN:
      return rvm_linear_begin (task->linear, &loader->error);
    case KERNEL:
      rvm_linear_set_kernel (task->linear, 0, task->column, task->k, task->columns, values);
      return TRUE;
    case BIAS:
      rvm_linear_set_bias (task->linear, task->column, task->columns, values);
      return TRUE;
    case END:
      return rvm_linear_end (task->linear, &loader->error);
    case VECTOR:
      return fill_vector (task->vector, values, task->elements, &loader->error);
  }
  return FALSE;
}

/* Everything noted. The first error stays in loader->error. */
static void
do_tasks (RvmLoader *loader)
{
  Piece pieces[AHEAD] = { 0 };
  Reader reader = { .loader = loader, .empty = g_async_queue_new (), .full = g_async_queue_new () };
  gboolean ok = TRUE;
  GThread *thread;

  for (guint i = 0; i < AHEAD; i++)
    g_async_queue_push (reader.empty, &pieces[i]);
  thread = g_thread_new ("rvm-weights", read_ahead, &reader);
  for (guint i = 0; ok && i < loader->tasks->len; i++) {
    const Task *task = &g_array_index (loader->tasks, Task, i);
    Piece *piece = task->array ? g_async_queue_pop (reader.full) : NULL;

    if (piece && piece->error) {
      g_propagate_error (&loader->error, g_steal_pointer (&piece->error));
      ok = FALSE;
    } else {
      ok = do_task (loader, task, piece ? piece->values : NULL);
    }
    if (piece) {
      if (!ok)
        g_atomic_int_set (&reader.stop, TRUE); /* before the reader can go on */
      g_async_queue_push (reader.empty, piece);
    }
  }
  g_atomic_int_set (&reader.stop, TRUE);
  /* It may wait for a piece. */
  for (Piece *piece; (piece = g_async_queue_try_pop (reader.full));)
    g_async_queue_push (reader.empty, piece);
  g_thread_join (thread);
  for (guint i = 0; i < AHEAD; i++) {
    g_free (pieces[i].values);
    g_clear_error (&pieces[i].error);
  }
  g_async_queue_unref (reader.empty);
  g_async_queue_unref (reader.full);
}

gboolean
rvm_loader_finish (RvmLoader *loader, GError **error)
{
  if (loader->error == NULL)
    do_tasks (loader);
  g_array_set_size (loader->tasks, 0);
  if (loader->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&loader->error));
  return FALSE;
}

char *
rvm_loader_get_id (const RvmLoader *loader)
{
  const XXH128_hash_t hash = XXH3_128bits_digest (loader->hash);

  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64) hash.high64, (guint64) hash.low64);
}
