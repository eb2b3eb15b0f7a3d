/* States on the host, and state files. Files are untrusted: everything in them is checked, and no more memory is allocated than the file is long. */
#include "state.h"

#include <string.h>
#include <xxhash.h>

#include "model/format/weights.h"

#define FORMAT "gst-rvm-state-1"
#define ARRAY "state"
#define ID_LENGTH 32

RvmState *
rvm_state_new (const RvmModel *model, guint width, guint height, GBytes *values, guint64 frames, guint64 time)
{
  const RvmConfig *config = rvm_model_get_config (model);
  RvmState *state = g_new0 (RvmState, 1);

  g_atomic_ref_count_init (&state->refs);
  state->model_id = g_strdup (rvm_model_get_id (model));
  state->device = g_strdup (rvm_device_get_name (rvm_model_get_device (model)));
  state->precision = rvm_model_get_precision (model);
  state->width = width;
  state->height = height;
  state->tokens = (width / config->patch) * (height / config->patch) + 1;
  state->dim = config->encoder.dim;
  state->frames = frames;
  state->time = time;
  state->values = g_bytes_ref (values);
  g_warn_if_fail (g_bytes_get_size (values) == (gsize) state->tokens * state->dim * sizeof (float));
  return state;
}

RvmState *
rvm_state_ref (RvmState *state)
{
  g_atomic_ref_count_inc (&state->refs);
  return state;
}

void
rvm_state_unref (RvmState *state)
{
  if (state == NULL || !g_atomic_ref_count_dec (&state->refs))
    return;
  g_clear_pointer (&state->values, g_bytes_unref);
  g_free (state->model_id);
  g_free (state->device);
  g_free (state);
}

gboolean
rvm_state_has_shape (const RvmState *state, guint tokens, guint dim)
{
  return state->tokens == tokens && state->dim == dim;
}

gboolean
rvm_state_fits (const RvmState *state, const RvmModel *model, guint width, guint height, const char *what, GError **error)
{
  const RvmConfig *config = rvm_model_get_config (model);
  const guint patch = config->patch;
  const guint64 tokens = (guint64) (state->width / patch) * (state->height / patch) + 1;

  if (strcmp (state->model_id, rvm_model_get_id (model)) != 0)
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: is a state of model %s, expected one of %s, which is running", what,
        state->model_id, rvm_model_get_id (model));
  else if (state->precision != rvm_model_get_precision (model))
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: is a state of precision %s, expected %s", what, rvm_element_get_name (state->precision),
        rvm_element_get_name (rvm_model_get_precision (model)));
  else if (state->width % patch || state->height % patch || state->tokens != tokens || state->dim != config->encoder.dim)
    rvm_error_set (error, RVM_ERROR_MODEL,
        "%s: has %u tokens of %u values, expected %" G_GUINT64_FORMAT " of %u for pictures of %u x %u pixels with this model", what,
        state->tokens, state->dim, tokens, config->encoder.dim, state->width, state->height);
  else if (width && (state->width != width || state->height != height))
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: is a state for pictures of %u x %u pixels, expected %u x %u", what, state->width,
        state->height, width, height);
  else
    return TRUE;
  return FALSE;
}

char *
rvm_state_get_hash (const RvmState *state)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (state->values, &size);

  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x", (guint64) XXH3_64bits (data, size));
}

static gboolean
copy_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const RvmState *state = user_data;
  gsize size;
  gconstpointer data = g_bytes_get_data (state->values, &size);

  memcpy (values, data, size);
  return TRUE;
}

static void
insert_number (GHashTable *metadata, const char *key, guint64 value)
{
  g_hash_table_insert (metadata, (gpointer) key, g_strdup_printf ("%" G_GUINT64_FORMAT, value));
}

gboolean
rvm_state_save (const RvmState *state, const char *path, GError **error)
{
  char name[] = ARRAY;
  const RvmArray array = { .name = name, .dtype = RVM_DTYPE_F32, .n_dims = 2, .dims = { state->tokens, state->dim } };
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);

  if (!g_str_has_suffix (path, ".safetensors")) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: the name of a state file must end in .safetensors", path);
    return FALSE;
  }
  g_hash_table_insert (metadata, (gpointer) "format", g_strdup (FORMAT));
  g_hash_table_insert (metadata, (gpointer) "model", g_strdup (state->model_id));
  g_hash_table_insert (metadata, (gpointer) "device", g_utf8_make_valid (state->device, -1));
  g_hash_table_insert (metadata, (gpointer) "precision", g_strdup (rvm_element_get_name (state->precision)));
  insert_number (metadata, "width", state->width);
  insert_number (metadata, "height", state->height);
  insert_number (metadata, "frames", state->frames);
  if (state->time != RVM_STATE_NO_TIME)
    insert_number (metadata, "time", state->time);
  return rvm_weights_save (path, &array, 1, copy_values, (gpointer) state, metadata, error);
}

static gboolean
missing (const char *path, const char *key, const char *expected, GError **error)
{
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata '%s' is missing or wrong, expected %s", path, key, expected);
  return FALSE;
}

static gboolean
get_number (GHashTable *metadata, const char *path, const char *key, guint64 min, guint64 max, guint64 *value, GError **error)
{
  const char *text = g_hash_table_lookup (metadata, key);

  return (text && g_ascii_string_to_unsigned (text, 10, min, max, value, NULL)) || missing (path, key, "a number in range", error);
}

static gboolean
read_metadata (RvmState *state, GHashTable *metadata, const char *path, GError **error)
{
  const char *model = g_hash_table_lookup (metadata, "model"), *precision = g_hash_table_lookup (metadata, "precision");
  const char *device = g_hash_table_lookup (metadata, "device");
  guint64 width, height;

  if (g_strcmp0 (g_hash_table_lookup (metadata, "format"), FORMAT) != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is no state file: metadata 'format' is not '" FORMAT "'", path);
    return FALSE;
  }
  if (model == NULL || strlen (model) != ID_LENGTH || strspn (model, "0123456789abcdef") != ID_LENGTH)
    return missing (path, "model", "32 hexadecimal digits", error);
  if (!rvm_element_from_name (precision, &state->precision))
    return missing (path, "precision", RVM_ELEMENT_NAMES, error);
  if (!get_number (metadata, path, "width", 1, G_MAXINT, &width, error) || !get_number (metadata, path, "height", 1, G_MAXINT, &height, error)
      || !get_number (metadata, path, "frames", 1, G_MAXUINT64 / 2, &state->frames, error))
    return FALSE;
  state->time = RVM_STATE_NO_TIME;
  if (g_hash_table_contains (metadata, "time") && !get_number (metadata, path, "time", 0, G_MAXUINT64 / 2, &state->time, error))
    return FALSE;
  state->model_id = g_strdup (model);
  state->device = g_strdup (device ? device : "");
  state->width = width;
  state->height = height;
  return TRUE;
}

/* The reader of safetensors has checked that the array is no larger than the file. */
static gboolean
read_values (RvmState *state, RvmWeights *weights, const char *path, GError **error)
{
  const RvmArray *array = rvm_weights_find (weights, ARRAY);
  guint64 elements, bytes;
  float *values;

  if (array == NULL) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is no state file: expected the array '" ARRAY "'", path);
    return FALSE;
  }
  if (array->dtype != RVM_DTYPE_F32 || array->n_dims != 2 || array->dims[0] == 0 || array->dims[1] == 0 || array->dims[0] > G_MAXINT
      || array->dims[1] > G_MAXINT || !rvm_array_get_size (array, &elements, &bytes)) {
    g_autofree char *shape = rvm_array_format_shape (array);
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '" ARRAY "' is %s of %s, expected (tokens, dim) of F32", path, shape,
        rvm_array_get_dtype_name (array));
    return FALSE;
  }
  values = g_try_malloc (bytes);
  if (values == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for %" G_GUINT64_FORMAT " bytes of state", path, bytes);
    return FALSE;
  }
  state->values = g_bytes_new_take (values, bytes);
  state->tokens = array->dims[0];
  state->dim = array->dims[1];
  return rvm_weights_read (weights, array, values, error);
}

RvmState *
rvm_state_open (const char *path, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  g_autoptr (RvmState) state = NULL;

  if (weights == NULL)
    return NULL;
  state = g_new0 (RvmState, 1);
  g_atomic_ref_count_init (&state->refs);
  if (!read_metadata (state, rvm_weights_get_metadata (weights), path, error) || !read_values (state, weights, path, error))
    return NULL;
  return g_steal_pointer (&state);
}
