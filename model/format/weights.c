/* Weight files of every format, and the table of formats. */
#include "weights.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/half.h"
#include "format.h"

#define ADDRESS(name) &rvm_format_##name,
static const RvmFormat *const formats[] = { RVM_FORMATS (ADDRESS) };
#undef ADDRESS

struct _RvmWeights {
  char *path;
  const RvmFormat *format;
  gpointer file;               /* of @format */
  GHashTable *by_name;         /* name -> const RvmArray, borrowed */
  GHashTable *no_metadata;
  gpointer stored;             /* values as the file has them, reused */
  gsize stored_size;
};

void
rvm_weights_free (RvmWeights *weights)
{
  if (weights == NULL)
    return;
  g_clear_pointer (&weights->by_name, g_hash_table_unref);
  g_clear_pointer (&weights->no_metadata, g_hash_table_unref);
  if (weights->format)
    weights->format->free (weights->file);
  g_free (weights->stored);
  g_free (weights->path);
  g_free (weights);
}

/* (transfer full): ".npz or .safetensors" */
static char *
list_suffixes (void)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    g_string_append_printf (text, "%s.%s", i == 0 ? "" : i + 1 < G_N_ELEMENTS (formats) ? ", " : " or ", formats[i]->name);
  return g_string_free (text, FALSE);
}

const RvmFormat *
rvm_weights_find_format (const char *path, GError **error)
{
  const char *suffix = strrchr (path, '.');
  g_autofree char *suffixes = list_suffixes ();

  for (guint i = 0; suffix && i < G_N_ELEMENTS (formats); i++)
    if (strcmp (suffix + 1, formats[i]->name) == 0)
      return formats[i];
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: the name of a weight file must end in %s", path, suffixes);
  return NULL;
}

/* Formats are recognised by content, not by name. */
static gboolean
open_file (RvmWeights *weights, GError **error)
{
  g_autofree char *suffixes = list_suffixes ();
  guint8 head[RVM_FORMAT_HEAD] = { 0 };
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
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is empty, expected a weight file (%s)", weights->path, suffixes);
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (formats[i]->probe (head, size)) {
      weights->format = formats[i];
      weights->file = formats[i]->open (weights->path, error);
      return weights->file != NULL;
    }
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is not a weight file, expected %s", weights->path, suffixes);
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
  return weights->format->name;
}

guint
rvm_weights_get_n_arrays (const RvmWeights *weights)
{
  return weights->format->get_n_arrays (weights->file);
}

const RvmArray *
rvm_weights_get_array (const RvmWeights *weights, guint index)
{
  return weights->format->get_array (weights->file, index);
}

const RvmArray *
rvm_weights_find (const RvmWeights *weights, const char *name)
{
  return g_hash_table_lookup (weights->by_name, name);
}

GHashTable *
rvm_weights_get_metadata (const RvmWeights *weights)
{
  return weights->format->get_metadata ? weights->format->get_metadata (weights->file) : weights->no_metadata;
}

/* The exponent bits of a finite float are never all ones. The loop is written so that compilers vectorise it. */
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

/* " of shape (3, 4)", or nothing. */
static char *
format_expected_shape (const RvmArray *expected)
{
  g_autofree char *shape = expected ? rvm_array_format_shape (expected) : NULL;

  return shape ? g_strconcat (" of shape ", shape, NULL) : g_strdup ("");
}

gboolean
rvm_weights_check (const RvmWeights *weights, const RvmArray *array, const RvmArray *expected, GError **error)
{
  const char *dtype = rvm_array_get_dtype_name (array);

  if (weights->format->check && !weights->format->check (weights->file, array, error))
    return FALSE;
  if (array->dtype != RVM_DTYPE_F32 && array->dtype != RVM_DTYPE_F16 && array->dtype != RVM_DTYPE_BF16 && array->dtype != RVM_DTYPE_F64) {
    g_autofree char *found = rvm_array_format_shape (array), *wanted = format_expected_shape (expected);

    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s' has dtype %s%s and shape %s, expected F32, F16, BF16 or F64%s", weights->path,
        array->name, dtype, *dtype == '>' ? " (big-endian)" : strcmp (dtype, "|O") == 0 ? " (Python objects)" : "", found, wanted);
    return FALSE;
  }
  if (expected && (array->n_dims != expected->n_dims || memcmp (array->dims, expected->dims, array->n_dims * sizeof array->dims[0]) != 0)) {
    g_autofree char *found = rvm_array_format_shape (array), *wanted = rvm_array_format_shape (expected);

    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' has shape %s, expected %s", weights->path, array->name, found, wanted);
    return FALSE;
  }
  return TRUE;
}

/* @stored of @dtype, which is not F32, to float32. A double that float32 has no room for becomes infinite. */
static void
convert (RvmDType dtype, gconstpointer stored, float *values, gsize count)
{
  const guint16 *halves = stored;
  const double *doubles = stored;

  if (dtype == RVM_DTYPE_F16)
    for (gsize i = 0; i < count; i++)
      values[i] = rvm_half_to_float (halves[i]);
  else if (dtype == RVM_DTYPE_BF16)
    for (gsize i = 0; i < count; i++)
      values[i] = rvm_bfloat_to_float (halves[i]);
  else
    for (gsize i = 0; i < count; i++)
      values[i] = fabs (doubles[i]) <= FLT_MAX ? (float) doubles[i] : INFINITY;
}

/* Room for @size bytes as the file stores them. */
static gboolean
reserve (RvmWeights *weights, const RvmArray *array, gsize size, guint64 elements, GError **error)
{
  if (size <= weights->stored_size)
    return TRUE;
  g_free (weights->stored);
  weights->stored_size = 0;
  weights->stored = g_try_malloc (size); /* may be huge: the size comes from the file */
  if (weights->stored == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for the %" G_GUINT64_FORMAT " values of array '%s'", weights->path, elements,
        array->name);
    return FALSE;
  }
  weights->stored_size = size;
  return TRUE;
}

gboolean
rvm_weights_read (RvmWeights *weights, const RvmArray *array, float *values, GError **error)
{
  guint64 elements, bytes;

  if (!rvm_weights_check (weights, array, NULL, error))
    return FALSE;
  if (!rvm_array_get_size (array, &elements, &bytes)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s' is too large", weights->path, array->name);
    return FALSE;
  }
  if (array->dtype == RVM_DTYPE_F32) {
    if (!weights->format->read (weights->file, array, values, bytes, error))
      return FALSE;
  } else {
    if (!reserve (weights, array, bytes, elements, error) || !weights->format->read (weights->file, array, weights->stored, bytes, error))
      return FALSE;
    convert (array->dtype, weights->stored, values, elements);
  }
  if (!all_finite (values, elements)) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' holds NaN or infinite values%s", weights->path, array->name,
        array->dtype == RVM_DTYPE_F64 ? ", or such as float32 has no room for" : "");
    return FALSE;
  }
  return TRUE;
}
