/* Copies device memory to a file and back, one array at a time. */
#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "kernels/error.h"

static const char *const moment_names[] = { "adamw/m/", "adamw/v/" };

/* What is written: arrays 0..n-1 the weights, then all first moments, then all second ones. */
typedef struct {
  RvmModel *model;
  const RvmOptimiser *optimiser;
  RvmQueue *queue;
  GHashTable *index; /* name of an array -> its number + 1 */
  RvmBuffer *cached; /* the buffer that @stored is a copy of: several arrays share one */
  float *stored;
} Job;

static RvmBuffer *
find_buffer (const Job *job, guint number, const RvmParameter **parameter)
{
  const guint n = job->model->parameters->len;
  RvmBuffer *value;

  *parameter = g_ptr_array_index (job->model->parameters, number % n);
  value = rvm_parameter_get_buffer (*parameter);
  return number < n ? value : rvm_optimiser_find_moment (job->optimiser, value, number / n - 1);
}

static gboolean
read_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  Job *job = user_data;
  const RvmParameter *parameter;
  RvmBuffer *buffer = find_buffer (job, GPOINTER_TO_UINT (g_hash_table_lookup (job->index, array->name)) - 1, &parameter);

  if (buffer != job->cached) {
    job->cached = NULL;
    job->stored = g_realloc (job->stored, rvm_buffer_get_size (buffer));
    rvm_queue_read (job->queue, buffer, 0, job->stored, rvm_buffer_get_size (buffer));
    if (!rvm_queue_finish (job->queue, error))
      return FALSE;
    job->cached = buffer;
  }
  rvm_parameter_unpack (parameter, job->stored, values);
  return TRUE;
}

static GArray *
list_arrays (Job *job)
{
  const guint n = job->model->parameters->len;
  GArray *arrays = g_array_new (FALSE, FALSE, sizeof (RvmArray));

  g_array_set_clear_func (arrays, (GDestroyNotify) rvm_array_clear);
  for (guint i = 0; i < n * (job->optimiser ? 3 : 1); i++) {
    const RvmParameter *parameter = g_ptr_array_index (job->model->parameters, i % n);
    RvmArray array = parameter->array;

    array.name = g_strconcat (i < n ? "" : moment_names[i / n - 1], parameter->array.name, NULL);
    g_array_append_val (arrays, array);
    g_hash_table_insert (job->index, array.name, GUINT_TO_POINTER (i + 1));
  }
  return arrays;
}

static char *
format_hash (XXH3_state_t *state)
{
  const XXH128_hash_t hash = XXH3_128bits_digest (state);

  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64) hash.high64, (guint64) hash.low64);
}

/* The hash of all names and values, in order. */
static char *
hash_arrays (const RvmArray *arrays, guint n, RvmWeightsSource source, gpointer user_data, GError **error)
{
  XXH3_state_t *state = XXH3_createState ();
  char *result = NULL;
  guint i;

  XXH3_128bits_reset (state);
  for (i = 0; i < n; i++) {
    guint64 elements = 0, bytes;
    g_autofree float *values = NULL;

    if (!rvm_array_get_size (&arrays[i], &elements, &bytes) || elements > G_MAXSIZE / sizeof (float)
        || (values = g_try_new (float, MAX (elements, 1))) == NULL) {
      rvm_error_set (error, RVM_ERROR_MEMORY, "array '%s' is too large", arrays[i].name);
      break;
    }
    if (!source (&arrays[i], values, user_data, error))
      break;
    XXH3_128bits_update (state, arrays[i].name, strlen (arrays[i].name) + 1);
    XXH3_128bits_update (state, values, elements * sizeof (float));
  }
  if (i == n)
    result = format_hash (state);
  XXH3_freeState (state);
  return result;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (((const RvmArray *) a)->name, ((const RvmArray *) b)->name);
}

static gboolean
read_from_file (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  /* The file's own description: @array is a copy in another order. */
  return rvm_weights_read (user_data, rvm_weights_find (user_data, array->name), values, error);
}

/* The arrays of a checkpoint that are read: the model's and their moments, sorted. Others are ignored. */
static GArray *
list_needed (RvmWeights *weights, GError **error)
{
  g_autoptr (GArray) model = NULL;
  GArray *needed;
  RvmConfig config;

  if (!rvm_config_from_weights (&config, weights, TRUE, error))
    return NULL;
  model = rvm_config_list_arrays (&config, TRUE);
  needed = g_array_new (FALSE, FALSE, sizeof (RvmArray));
  for (guint i = 0; i < model->len; i++) {
    const char *name = g_array_index (model, RvmArray, i).name;

    g_array_append_val (needed, *rvm_weights_find (weights, name));
    for (guint which = 0; which < G_N_ELEMENTS (moment_names); which++) {
      g_autofree char *moment = g_strconcat (moment_names[which], name, NULL);
      const RvmArray *found = rvm_weights_find (weights, moment);

      if (found)
        g_array_append_val (needed, *found);
    }
  }
  g_array_sort (needed, compare_names);
  return needed;
}

static gboolean
verify (RvmWeights *weights, guint64 *step, GError **error)
{
  const char *recorded = g_hash_table_lookup (rvm_weights_get_metadata (weights), "hash");
  const char *number = g_hash_table_lookup (rvm_weights_get_metadata (weights), "step");
  g_autoptr (GArray) arrays = NULL;
  g_autofree char *hash = NULL;

  if (recorded == NULL || number == NULL || !g_ascii_string_to_unsigned (number, 10, 0, G_MAXUINT64, step, NULL)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: not a checkpoint: metadata 'hash' and 'step' are missing",
        rvm_weights_get_path (weights));
    return FALSE;
  }
  arrays = list_needed (weights, error);
  hash = arrays ? hash_arrays ((const RvmArray *) arrays->data, arrays->len, read_from_file, weights, error) : NULL;
  if (hash == NULL)
    return FALSE;
  if (strcmp (hash, recorded) != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: damaged: its values have hash %s, it says %s", rvm_weights_get_path (weights), hash,
        recorded);
    return FALSE;
  }
  return TRUE;
}

/* The whole file is read back before it gets its name, so that one that cannot be read never replaces one that can. It takes less than a tenth of the
 * time of writing. */
static gboolean
check_written (RvmWeights *weights, gpointer user_data, GError **error)
{
  guint64 step;

  return verify (weights, &step, error);
}

gboolean
rvm_checkpoint_save (const char *path, RvmModel *model, const RvmOptimiser *optimiser, RvmQueue *queue, guint64 step, GHashTable *metadata,
    GError **error)
{
  Job job = { .model = model, .optimiser = optimiser, .queue = queue, .index = g_hash_table_new (g_str_hash, g_str_equal) };
  g_autoptr (GArray) arrays = list_arrays (&job), sorted = g_array_copy (arrays);
  g_autoptr (GHashTable) all = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autofree char *hash = NULL;
  GHashTableIter iter;
  gpointer key, value;
  gboolean ok;

  /* The hash is over sorted names, since the file may have another order. */
  g_array_set_clear_func (sorted, NULL);
  g_array_sort (sorted, compare_names);
  hash = hash_arrays ((const RvmArray *) sorted->data, sorted->len, read_values, &job, error);
  g_hash_table_iter_init (&iter, metadata ? metadata : all);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_hash_table_insert (all, key, g_strdup (value));
  g_hash_table_insert (all, "format_version", g_strdup ("1"));
  g_hash_table_insert (all, "patch", g_strdup_printf ("%u", model->config.patch));
  g_hash_table_insert (all, "step", g_strdup_printf ("%" G_GUINT64_FORMAT, step));
  g_hash_table_insert (all, "hash", g_strdup (hash));
  ok = hash
      && rvm_weights_save_checked (path, (const RvmArray *) arrays->data, arrays->len, read_values, check_written, &job, all, error);
  g_hash_table_unref (job.index);
  g_free (job.stored);
  return ok;
}

gboolean
rvm_checkpoint_verify (const char *path, guint64 *step, GHashTable **metadata, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  guint64 number;

  if (weights == NULL || !verify (weights, step ? step : &number, error))
    return FALSE;
  if (metadata)
    *metadata = g_hash_table_ref (rvm_weights_get_metadata (weights));
  return TRUE;
}

/* One moment of every parameter. Parameters that share a buffer fill it together before it goes to the device. */
static gboolean
restore_moment (RvmWeights *weights, RvmModel *model, RvmOptimiser *optimiser, RvmQueue *queue, guint which, GError **error)
{
  g_autoptr (GHashTable) stored = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  GHashTableIter iter;
  gpointer key, value;

  for (guint i = 0; i < model->parameters->len; i++) {
    const RvmParameter *parameter = g_ptr_array_index (model->parameters, i);
    RvmBuffer *buffer = rvm_optimiser_find_moment (optimiser, rvm_parameter_get_buffer (parameter), which);
    g_autofree char *name = g_strconcat (moment_names[which], parameter->array.name, NULL);
    g_autofree float *values = g_new (float, rvm_parameter_get_size (parameter));
    const RvmArray *array = rvm_weights_find (weights, name);
    guint64 elements = 0, bytes;
    float *host = g_hash_table_lookup (stored, buffer);

    if (array == NULL || !rvm_array_get_size (array, &elements, &bytes) || elements != rvm_parameter_get_size (parameter)) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s' is missing or of another size than its weights",
          rvm_weights_get_path (weights), name);
      return FALSE;
    }
    if (!rvm_weights_read (weights, array, values, error))
      return FALSE;
    if (host == NULL) {
      host = g_malloc0 (rvm_buffer_get_size (buffer));
      g_hash_table_insert (stored, buffer, host);
    }
    rvm_parameter_pack (parameter, host, values);
  }
  g_hash_table_iter_init (&iter, stored);
  while (g_hash_table_iter_next (&iter, &key, &value))
    rvm_queue_write (queue, key, 0, value, rvm_buffer_get_size (key));
  return rvm_queue_finish (queue, error);
}

gboolean
rvm_checkpoint_restore (const char *path, RvmModel *model, RvmOptimiser *optimiser, RvmQueue *queue, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  guint64 step;

  if (weights == NULL || !verify (weights, &step, error))
    return FALSE;
  for (guint which = 0; which < 2; which++)
    if (!restore_moment (weights, model, optimiser, queue, which, error))
      return FALSE;
  rvm_optimiser_set_step (optimiser, step);
  return TRUE;
}

#define PREFIX "checkpoint-"
#define SUFFIX ".safetensors"

char *
rvm_checkpoint_get_path (const char *folder, guint64 step)
{
  g_autofree char *name = g_strdup_printf (PREFIX "%08" G_GUINT64_FORMAT SUFFIX, step);

  return g_build_filename (folder, name, NULL);
}

static int
compare_steps (gconstpointer a, gconstpointer b)
{
  const guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return (x > y) - (x < y);
}

GArray *
rvm_checkpoint_list (const char *folder, GError **error)
{
  g_autoptr (GArray) steps = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  const char *name;

  if (dir == NULL)
    return NULL;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *digits = NULL;
    guint64 step;

    if (!g_str_has_prefix (name, PREFIX) || !g_str_has_suffix (name, SUFFIX) || strlen (name) <= strlen (PREFIX SUFFIX))
      continue;
    digits = g_strndup (name + strlen (PREFIX), strlen (name) - strlen (PREFIX SUFFIX));
    if (g_ascii_string_to_unsigned (digits, 10, 0, G_MAXUINT64, &step, NULL))
      g_array_append_val (steps, step);
  }
  g_array_sort (steps, compare_steps);
  return g_steal_pointer (&steps);
}

void
rvm_checkpoint_prune (const char *folder, guint64 step, guint keep, guint keep_every)
{
  g_autoptr (GArray) steps = rvm_checkpoint_list (folder, NULL);

  /* Checkpoints of later steps are from before the run went back. */
  while (steps && steps->len && g_array_index (steps, guint64, steps->len - 1) > step)
    g_array_set_size (steps, steps->len - 1);
  for (guint i = 0; steps && i + keep < steps->len; i++) {
    const guint64 old = g_array_index (steps, guint64, i);
    g_autofree char *path = rvm_checkpoint_get_path (folder, old);

    if (old != 0 && (keep_every == 0 || old % keep_every != 0))
      unlink (path);
  }
}
