/* Two hash tables from weights to their gradients, and the list of arrays made from them. RvmGradients owns every gradient buffer. */
#include "gradients.h"

#include "kernels/error.h"

struct _RvmGradients {
  GHashTable *linears; /* RvmLinear -> RvmLinearGradient */
  GHashTable *vectors; /* RvmBuffer -> RvmVectorGradient */
  GArray *arrays;      /* RvmGradientArray, in the model's order */
};

static void
vector_gradient_free (gpointer data)
{
  RvmVectorGradient *vector = data;

  rvm_buffer_unref (vector->gradient);
  g_free (vector);
}

static void
add_array (RvmGradients *gradients, const RvmParameter *parameter, RvmBuffer *value, RvmBuffer *gradient, gboolean is_kernel)
{
  const RvmGradientArray array = { value, gradient, rvm_buffer_get_size (value) / sizeof (float), is_kernel, FALSE,
    parameter->array.name };

  g_array_append_val (gradients->arrays, array);
}

static gboolean
add_parameter (RvmGradients *gradients, RvmDevice *device, const RvmParameter *parameter, GError **error)
{
  if (parameter->linear) {
    RvmLinearGradient *linear = g_hash_table_lookup (gradients->linears, parameter->linear);

    if (linear)
      return TRUE; /* weights that share a buffer are in the list once */
    linear = rvm_linear_gradient_new (device, parameter->linear, error);
    if (linear == NULL)
      return FALSE;
    g_hash_table_insert (gradients->linears, parameter->linear, linear);
    add_array (gradients, parameter, rvm_linear_get_kernel (parameter->linear), rvm_linear_gradient_get_kernel (linear), TRUE);
    if (rvm_linear_gradient_get_bias (linear))
      add_array (gradients, parameter, rvm_linear_get_bias (parameter->linear), rvm_linear_gradient_get_bias (linear), FALSE);
  } else {
    RvmVectorGradient *vector;
    RvmBuffer *buffer = rvm_buffer_new (device, rvm_buffer_get_size (parameter->vector), "gradient", error);

    if (buffer == NULL)
      return FALSE;
    vector = g_new0 (RvmVectorGradient, 1);
    vector->gradient = buffer;
    vector->empty = TRUE;
    g_hash_table_insert (gradients->vectors, parameter->vector, vector);
    add_array (gradients, parameter, parameter->vector, buffer, g_str_has_suffix (parameter->array.name, "/kernel"));
  }
  return TRUE;
}

RvmGradients *
rvm_gradients_new (RvmDevice *device, const GPtrArray *parameters, GError **error)
{
  g_autoptr (RvmGradients) gradients = g_new0 (RvmGradients, 1);

  gradients->linears = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) rvm_linear_gradient_free);
  gradients->vectors = g_hash_table_new_full (NULL, NULL, NULL, vector_gradient_free);
  gradients->arrays = g_array_new (FALSE, FALSE, sizeof (RvmGradientArray));
  for (guint i = 0; i < parameters->len; i++)
    if (!add_parameter (gradients, device, g_ptr_array_index (parameters, i), error))
      return NULL;
  return g_steal_pointer (&gradients);
}

/* Whether one of @patterns fits @name. Those that do are marked in @fits. */
static gboolean
fits_any (char **patterns, const char *name, gboolean *fits)
{
  gboolean any = FALSE;

  for (guint i = 0; patterns[i]; i++)
    if (g_pattern_match_simple (patterns[i], name))
      any = fits[i] = TRUE;
  return any;
}

static RvmGradientArray *
find_array (RvmGradients *gradients, const RvmParameter *parameter)
{
  for (guint i = 0; i < gradients->arrays->len; i++) {
    RvmGradientArray *array = &g_array_index (gradients->arrays, RvmGradientArray, i);

    if (array->value == rvm_parameter_get_buffer (parameter))
      return array;
  }
  g_assert_not_reached ();
}

gboolean
rvm_gradients_freeze (RvmGradients *gradients, const GPtrArray *parameters, const char *patterns, guint64 *n_trained, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (patterns, ";", -1);
  const guint n = g_strv_length (parts);
  g_autofree gboolean *fits = g_new0 (gboolean, n);
  g_autoptr (GHashTable) first = g_hash_table_new (NULL, NULL); /* RvmGradientArray -> the RvmParameter by which it was decided */
  guint64 sum = 0;

  for (guint i = 0; i < parameters->len; i++) {
    const RvmParameter *parameter = g_ptr_array_index (parameters, i), *decided;
    const gboolean trained = n == 0 || fits_any (parts, parameter->array.name, fits);
    RvmGradientArray *array = find_array (gradients, parameter);

    decided = g_hash_table_lookup (first, array);
    if (decided && array->is_frozen == trained) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "training.only: %s and %s lie side by side and are trained together: expected both or neither in '%s'",
          decided->array.name, parameter->array.name, patterns);
      return FALSE;
    }
    if (decided == NULL)
      g_hash_table_insert (first, array, (gpointer) parameter);
    array->is_frozen = !trained;
    sum += trained ? rvm_parameter_get_size (parameter) : 0;
  }
  for (guint i = 0; i < n; i++)
    if (!fits[i]) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "training.only: '%s' fits no array: expected names such as '%s'",
          parts[i], ((const RvmParameter *) g_ptr_array_index (parameters, 0))->array.name);
      return FALSE;
    }
  if (n_trained)
    *n_trained = sum;
  return TRUE;
}

void
rvm_gradients_free (RvmGradients *gradients)
{
  if (gradients == NULL)
    return;
  g_hash_table_unref (gradients->linears);
  g_hash_table_unref (gradients->vectors);
  g_array_unref (gradients->arrays);
  g_free (gradients);
}

RvmLinearGradient *
rvm_gradients_find_linear (const RvmGradients *gradients, const RvmLinear *weights)
{
  return g_hash_table_lookup (gradients->linears, weights);
}

RvmVectorGradient *
rvm_gradients_find_vector (const RvmGradients *gradients, const RvmBuffer *vector)
{
  return g_hash_table_lookup (gradients->vectors, vector);
}

RvmBuffer *
rvm_gradients_find_buffer (const RvmGradients *gradients, const RvmBuffer *value)
{
  for (guint i = 0; i < gradients->arrays->len; i++)
    if (g_array_index (gradients->arrays, RvmGradientArray, i).value == value)
      return g_array_index (gradients->arrays, RvmGradientArray, i).gradient;
  return NULL;
}

void
rvm_gradients_reset (RvmGradients *gradients)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, gradients->linears);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    rvm_linear_gradient_reset (value);
  g_hash_table_iter_init (&iter, gradients->vectors);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    ((RvmVectorGradient *) value)->empty = TRUE;
}

void
rvm_gradients_refresh (RvmQueue *queue, RvmGradients *gradients)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, gradients->linears);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    rvm_linear_gradient_refresh (queue, value);
}

guint
rvm_gradients_get_n_arrays (const RvmGradients *gradients)
{
  return gradients->arrays->len;
}

const RvmGradientArray *
rvm_gradients_get_array (const RvmGradients *gradients, guint index)
{
  return &g_array_index (gradients->arrays, RvmGradientArray, index);
}
