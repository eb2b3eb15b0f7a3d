/* Weight file -> device memory. Each array is read into one host buffer that is reused, so that a file is never in memory twice. */
#include "loader.h"

#include <string.h>
#include <xxhash.h>

struct _RvmLoader {
  RvmWeights *weights;
  RvmDevice *device;
  RvmGemmProvider gemm;
  RvmPrecision precision;
  float *values; /* the array read last */
  gsize capacity;
  guint k, n, column; /* of the linear layer being filled */
  gboolean has_bias;
  XXH3_state_t *hash;
  GPtrArray *parameters; /* (element-type RvmParameter), NULL: nobody asked */
  GError *error;
};

RvmLoader *
rvm_loader_new (RvmWeights *weights, RvmDevice *device, RvmGemmProvider gemm, RvmPrecision precision)
{
  RvmLoader *loader = g_new0 (RvmLoader, 1);

  loader->weights = weights;
  loader->device = device;
  loader->gemm = gemm;
  loader->precision = precision;
  loader->hash = XXH3_createState ();
  XXH3_128bits_reset (loader->hash);
  return loader;
}

void
rvm_loader_free (RvmLoader *loader)
{
  if (loader == NULL)
    return;
  g_free (loader->values);
  XXH3_freeState (loader->hash);
  g_clear_pointer (&loader->parameters, g_ptr_array_unref);
  g_clear_error (&loader->error);
  g_free (loader);
}

/* Reads array @name into loader->values. Returns its number of elements, 0 on failure. */
static gsize
read_values (RvmLoader *loader, const char *name)
{
  const RvmArray *array;
  guint64 elements, bytes;

  if (loader->error)
    return 0;
  array = rvm_weights_find (loader->weights, name);
  if (array == NULL) {
    rvm_error_set (&loader->error, RVM_ERROR_MODEL, "%s: array '%s' is missing", rvm_weights_get_path (loader->weights), name);
    return 0;
  }
  if (!rvm_array_get_size (array, &elements, &bytes) || elements == 0 || elements > G_MAXSIZE / sizeof (float)) {
    rvm_error_set (&loader->error, RVM_ERROR_MODEL, "%s: array '%s' is empty or too large",
        rvm_weights_get_path (loader->weights), name);
    return 0;
  }
  if (elements > loader->capacity) {
    g_free (loader->values);
    loader->capacity = 0;
    loader->values = g_try_new (float, elements);
    if (loader->values == NULL) {
      rvm_error_set (&loader->error, RVM_ERROR_MEMORY, "%s: no memory for the %" G_GUINT64_FORMAT " values of array '%s'",
          rvm_weights_get_path (loader->weights), elements, name);
      return 0;
    }
    loader->capacity = elements;
  }
  if (!rvm_weights_read (loader->weights, array, loader->values, &loader->error))
    return 0;
  XXH3_128bits_update (loader->hash, name, strlen (name) + 1);
  XXH3_128bits_update (loader->hash, loader->values, elements * sizeof (float));
  return elements;
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
  g_autoptr (RvmBuffer) buffer = NULL;
  g_autofree char *name = NULL;
  va_list args;
  gsize elements;
  gpointer map;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  elements = read_values (loader, name);
  if (elements == 0)
    return NULL;
  buffer = rvm_buffer_new (loader->device, elements * sizeof (float), name, &loader->error);
  map = buffer ? rvm_buffer_map_write (buffer, &loader->error) : NULL;
  if (map == NULL)
    return NULL;
  memcpy (map, loader->values, elements * sizeof (float));
  if (!rvm_buffer_unmap (buffer, map, &loader->error))
    return NULL;
  keep_parameter (loader, name, (RvmParameter){ .vector = buffer });
  return g_steal_pointer (&buffer);
}

RvmGemmWeights *
rvm_loader_begin_linear (RvmLoader *loader, guint k, guint n, gboolean has_bias)
{
  g_autoptr (RvmGemmWeights) linear = NULL;

  if (loader->error)
    return NULL;
  loader->k = k;
  loader->n = n;
  loader->column = 0;
  loader->has_bias = has_bias;
  linear = rvm_gemm_weights_new (loader->device, loader->gemm, loader->precision, k, n, has_bias, &loader->error);
  if (linear == NULL || !rvm_gemm_weights_begin (linear, &loader->error))
    return NULL;
  return g_steal_pointer (&linear);
}

void
rvm_loader_add_linear (RvmLoader *loader, RvmGemmWeights *linear, const char *format, ...)
{
  g_autofree char *name = NULL, *kernel = NULL, *bias = NULL;
  va_list args;
  gsize elements, columns;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  kernel = g_strconcat (name, "/kernel", NULL);
  bias = g_strconcat (name, "/bias", NULL);

  elements = read_values (loader, kernel);
  if (elements == 0)
    return;
  /* Shapes were checked by rvm_config_from_weights(): the columns are what is left after the k inputs. */
  columns = elements / loader->k;
  g_return_if_fail (elements % loader->k == 0 && columns <= loader->n - loader->column);
  rvm_gemm_weights_set_kernel (linear, 0, loader->column, loader->k, columns, loader->values);
  keep_parameter (loader, kernel, (RvmParameter){ .linear = linear, .column = loader->column, .columns = columns });
  if (loader->has_bias) {
    if (read_values (loader, bias) == 0)
      return;
    rvm_gemm_weights_set_bias (linear, loader->column, columns, loader->values);
    keep_parameter (loader, bias, (RvmParameter){ .linear = linear, .is_bias = TRUE, .column = loader->column, .columns = columns });
  }
  loader->column += columns;
}

RvmGemmWeights *
rvm_loader_end_linear (RvmLoader *loader, RvmGemmWeights *linear)
{
  if (linear && !loader->error)
    rvm_gemm_weights_end (linear, &loader->error);
  if (loader->error)
    g_clear_pointer (&linear, rvm_gemm_weights_free);
  return linear;
}

gboolean
rvm_loader_finish (RvmLoader *loader, GError **error)
{
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
