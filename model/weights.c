/* One view of both kinds of weight file. */
#include "weights.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernels/half.h"
#include "npz.h"
#include "safetensors.h"

struct _RvmWeights {
  char *path;
  RvmNpz *npz;                 /* one of the two */
  RvmSafetensors *safetensors;
  GHashTable *by_name;         /* name -> const RvmArray, borrowed */
  GHashTable *no_metadata;
  guint16 *halves;             /* reused */
  gsize n_halves;
};

void
rvm_weights_free (RvmWeights *weights)
{
  if (weights == NULL)
    return;
  g_clear_pointer (&weights->by_name, g_hash_table_unref);
  g_clear_pointer (&weights->no_metadata, g_hash_table_unref);
  rvm_npz_free (weights->npz);
  rvm_safetensors_free (weights->safetensors);
  g_free (weights->halves);
  g_free (weights->path);
  g_free (weights);
}

/* Told apart by content: a zip begins with "PK", a safetensors header with '{' after its length. */
static gboolean
open_file (RvmWeights *weights, GError **error)
{
  guint8 head[9] = { 0 };
  FILE *file;
  gsize size;

  if (g_file_test (weights->path, G_FILE_TEST_IS_DIR)) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: is a directory, expected a weight file", weights->path);
    return FALSE;
  }
  file = fopen (weights->path, "rbe");
  if (file == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be opened: %s", weights->path, g_strerror (errno));
    return FALSE;
  }
  size = fread (head, 1, sizeof head, file);
  fclose (file);
  if (size == 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is empty, expected a weight file (.npz or .safetensors)", weights->path);
    return FALSE;
  }
  if (size >= 4 && memcmp (head, "PK", 2) == 0)
    return (weights->npz = rvm_npz_open (weights->path, error)) != NULL;
  if (size == sizeof head && head[8] == '{')
    return (weights->safetensors = rvm_safetensors_open (weights->path, error)) != NULL;
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is neither an .npz nor a .safetensors file", weights->path);
  return FALSE;
}

RvmWeights *
rvm_weights_open (const char *path, GError **error)
{
  g_autoptr (RvmWeights) weights = g_new0 (RvmWeights, 1);

  weights->path = g_strdup (path);
  weights->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  weights->no_metadata = g_hash_table_new (g_str_hash, g_str_equal);
  if (!open_file (weights, error))
    return NULL;
  for (guint i = 0; i < rvm_weights_get_n_arrays (weights); i++) {
    const RvmArray *array = rvm_weights_get_array (weights, i);

    if (array->dtype != RVM_DTYPE_F32 && array->dtype != RVM_DTYPE_F16 && array->dtype != RVM_DTYPE_BF16) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s' has dtype %s, expected F32, F16 or BF16", path, array->name,
          rvm_dtype_get_name (array->dtype));
      return NULL;
    }
    g_hash_table_insert (weights->by_name, array->name, (gpointer) array);
  }
  return g_steal_pointer (&weights);
}

const char *
rvm_weights_get_path (const RvmWeights *weights)
{
  return weights->path;
}

const char *
rvm_weights_get_format (const RvmWeights *weights)
{
  return weights->npz ? "npz" : "safetensors";
}

guint
rvm_weights_get_n_arrays (const RvmWeights *weights)
{
  return weights->npz ? rvm_npz_get_n_arrays (weights->npz) : rvm_safetensors_get_n_arrays (weights->safetensors);
}

const RvmArray *
rvm_weights_get_array (const RvmWeights *weights, guint index)
{
  return weights->npz ? rvm_npz_get_array (weights->npz, index) : rvm_safetensors_get_array (weights->safetensors, index);
}

const RvmArray *
rvm_weights_find (const RvmWeights *weights, const char *name)
{
  return g_hash_table_lookup (weights->by_name, name);
}

GHashTable *
rvm_weights_get_metadata (const RvmWeights *weights)
{
  return weights->npz ? weights->no_metadata : rvm_safetensors_get_metadata (weights->safetensors);
}

static gboolean
read_bytes (RvmWeights *weights, const RvmArray *array, gpointer data, gsize size, GError **error)
{
  return weights->npz ? rvm_npz_read (weights->npz, array, data, size, error)
                      : rvm_safetensors_read (weights->safetensors, array, data, size, error);
}

/* The exponent bits of a finite float are never all ones; written so that compilers vectorise it. */
static gboolean
all_finite (const float *values, gsize count)
{
  guint32 bad = 0;

  for (gsize i = 0; i < count; i++) {
    guint32 bits;
    memcpy (&bits, values + i, sizeof bits);
    bad |= (bits & 0x7f800000) == 0x7f800000;
  }
  return bad == 0;
}

gboolean
rvm_weights_read (RvmWeights *weights, const RvmArray *array, float *values, GError **error)
{
  guint64 elements, bytes;

  if (!rvm_array_get_size (array, &elements, &bytes)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s' is too large", weights->path, array->name);
    return FALSE;
  }
  if (array->dtype == RVM_DTYPE_F32) {
    if (!read_bytes (weights, array, values, bytes, error))
      return FALSE;
  } else {
    if (elements > weights->n_halves) {
      g_free (weights->halves);
      weights->n_halves = 0;
      weights->halves = g_try_new (guint16, elements); /* a deflated entry says its size itself */
      if (weights->halves == NULL) {
        rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for the %" G_GUINT64_FORMAT " values of array '%s'", weights->path, elements,
            array->name);
        return FALSE;
      }
      weights->n_halves = elements;
    }
    if (!read_bytes (weights, array, weights->halves, bytes, error))
      return FALSE;
    if (array->dtype == RVM_DTYPE_F16)
      for (gsize i = 0; i < elements; i++)
        values[i] = rvm_half_to_float (weights->halves[i]);
    else
      for (gsize i = 0; i < elements; i++)
        values[i] = rvm_bfloat_to_float (weights->halves[i]);
  }
  if (!all_finite (values, elements)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' holds NaN or infinite values", weights->path, array->name);
    return FALSE;
  }
  return TRUE;
}
