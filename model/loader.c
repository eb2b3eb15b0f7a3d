/* From a weight file to device memory.
 *
 * Asking for a layer only records it. rvm_loader_finish() then reads the arrays on a second thread, a few ahead of the caller's thread, which hashes
 * and packs them. Reading takes longer than that, because of checksums and conversion from half precision. Only the few arrays between
 * the two threads are in memory twice. */
#include "loader.h"

#include <string.h>
#include <xxhash.h>

#define AHEAD 3 /* arrays that have been read and not yet packed */

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
  GError *error; /* why reading failed; this is then the last piece */
} Piece;

struct _RvmLoader {
  RvmWeights *weights;
  RvmSchema schema;
  RvmDevice *device;
  RvmGemmProvider gemm;
  RvmElement precision;
  GArray *tasks; /* of Task */
  XXH3_state_t *hash;
  GPtrArray *parameters; /* (element-type RvmParameter); NULL if not requested */
  GError *error;
};

RvmLoader *
rvm_loader_new (RvmWeights *weights, const RvmSchema *schema, RvmDevice *device, RvmGemmProvider gemm, RvmElement precision)
{
  RvmLoader *loader = g_new0 (RvmLoader, 1);

  loader->weights = weights;
  loader->schema = *schema;
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

/* The array of a layer, or NULL with the error set. */
static const RvmArray *
find_array (RvmLoader *loader, RvmSite site, RvmRole role, gsize *count)
{
  g_autofree char *name = rvm_schema_format_name (site, role);
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
keep_parameter (RvmLoader *loader, const RvmArray *array, RvmParameter place)
{
  RvmParameter *parameter;

  if (loader->parameters == NULL || loader->error)
    return;
  parameter = g_memdup2 (&place, sizeof place);
  parameter->array = *array;
  parameter->array.name = g_strdup (array->name);
  parameter->array.dtype = RVM_DTYPE_F32;
  g_ptr_array_add (loader->parameters, parameter);
}

RvmBuffer *
rvm_loader_vector (RvmLoader *loader, RvmSite site, RvmRole role)
{
  gsize elements;
  const RvmArray *array = find_array (loader, site, role, &elements);
  RvmBuffer *buffer = array ? rvm_buffer_new (loader->device, elements * sizeof (float), array->name, &loader->error) : NULL;

  if (buffer == NULL)
    return NULL;
  note (loader, (Task){ .kind = VECTOR, .array = array, .elements = elements, .vector = buffer });
  keep_parameter (loader, array, (RvmParameter){ .vector = buffer });
  return buffer;
}

/* Notes one array of a linear layer, whose columns are @columns from @column on. */
static void
add_to_linear (RvmLoader *loader, RvmLinear *linear, RvmSite site, RvmRole role, guint column, guint columns)
{
  gsize elements;
  const RvmArray *array = find_array (loader, site, role, &elements);

  if (array == NULL)
    return;
  g_return_if_fail (elements == (role == RVM_ROLE_BIAS ? columns : (gsize) rvm_linear_get_k (linear) * columns));
  note (loader, (Task){ .kind = role == RVM_ROLE_BIAS ? BIAS : KERNEL, .array = array, .elements = elements, .linear = linear,
                    .k = rvm_linear_get_k (linear), .column = column, .columns = columns });
  keep_parameter (loader, array, (RvmParameter){ .linear = linear, .is_bias = role == RVM_ROLE_BIAS, .column = column, .columns = columns });
}

/* A layer that can be trained. Those that take pixels and give them are trained with operands of float32 even if others take bfloat16: a loss of pixels asks
 * for more than 8 bits, and after some training the errors of these two layers were most of the error of all gradients. */
static RvmLinear *
make_trainable (RvmLoader *loader, RvmSite site, guint k, guint n, gboolean with_bias)
{
  const gboolean is_of_pixels = site.layer == RVM_LAYER_PATCH_EMBEDDING || site.layer == RVM_LAYER_DETOKENIZE;

  if (is_of_pixels && loader->precision != RVM_ELEMENT_F32)
    return rvm_linear_new_trainable (loader->device, RVM_GEMM_NATIVE, RVM_ELEMENT_F32, k, n, with_bias, &loader->error);
  return rvm_linear_new_trainable (loader->device, loader->gemm, loader->precision, k, n, with_bias, &loader->error);
}

RvmLinear *
rvm_loader_linear (RvmLoader *loader, const RvmSite *sites, guint n_sites, gboolean with_bias)
{
  const guint k = rvm_schema_count_inputs (&loader->schema, rvm_schema_get_row (sites[0]));
  guint n = 0, column = 0;
  RvmLinear *linear;

  if (loader->error)
    return NULL;
  for (guint i = 0; i < n_sites; i++)
    n += rvm_schema_count_outputs (&loader->schema, rvm_schema_get_row (sites[i]));
  linear = loader->parameters ? make_trainable (loader, sites[0], k, n, with_bias)
                              : rvm_linear_new (loader->device, loader->gemm, loader->precision, k, n, with_bias, &loader->error);
  note (loader, (Task){ .kind = BEGIN, .linear = linear });
  for (guint i = 0; i < n_sites; i++) {
    const guint columns = rvm_schema_count_outputs (&loader->schema, rvm_schema_get_row (sites[i]));

    add_to_linear (loader, linear, sites[i], RVM_ROLE_KERNEL, column, columns);
    if (with_bias)
      add_to_linear (loader, linear, sites[i], RVM_ROLE_BIAS, column, columns);
    column += columns;
  }
  note (loader, (Task){ .kind = END, .linear = linear });
  if (loader->error)
    g_clear_pointer (&linear, rvm_linear_free);
  return linear;
}

typedef struct {
  RvmLoader *loader;
  GAsyncQueue *empty, *full; /* of Piece; AHEAD of them in all */
  int stop;                  /* atomic: the caller's thread has stopped packing */
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

/* Loads everything that was recorded. The first error stays in loader->error. */
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
        g_atomic_int_set (&reader.stop, TRUE); /* before the reader gets the piece and goes on */
      g_async_queue_push (reader.empty, piece);
    }
  }
  g_atomic_int_set (&reader.stop, TRUE);
  /* The reader may be waiting for an empty piece: it gets all of them back, sees `stop` and ends. */
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
