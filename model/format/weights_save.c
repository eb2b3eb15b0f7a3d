/* Writing weight files: to a temporary file in the same folder, which is flushed to the disk, read back, and then renamed. So a reader sees either
 * the old file or the whole new one. One array is in memory at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/error.h"
#include "kernels/half.h"
#include "weights.h"

typedef struct {
  RvmWeightsSource source;
  gpointer user_data;
} Job;

/* The values of an array in the type that is stored: get_bytes() of RvmFormatContent. */
static gpointer
make_bytes (const RvmArray *array, gsize *size, gpointer user_data, GError **error)
{
  const Job *job = user_data;
  guint64 elements, bytes;
  g_autofree float *values = NULL;
  guint16 *halves;

  if (!rvm_array_get_size (array, &elements, &bytes) || elements > G_MAXSSIZE / sizeof (float)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "array '%s' is too large", array->name);
    return NULL;
  }
  *size = bytes;
  values = g_try_malloc (MAX (elements, 1) * sizeof (float));
  if (values == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_MEMORY, "no memory for array '%s'", array->name);
    return NULL;
  }
  if (!job->source (array, values, job->user_data, error))
    return NULL;
  if (array->dtype == RVM_DTYPE_F32)
    return g_steal_pointer (&values);
  halves = g_malloc (MAX (bytes, 1));
  for (gsize i = 0; i < elements; i++) {
    halves[i] = array->dtype == RVM_DTYPE_F16 ? rvm_float_to_half (values[i]) : rvm_float_to_bfloat (values[i]);
    if (array->dtype == RVM_DTYPE_F16 && (halves[i] & 0x7c00) == 0x7c00) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "array '%s' has the value %g, which f16 cannot hold (try bf16)", array->name,
          values[i]);
      g_free (halves);
      return NULL;
    }
  }
  return halves;
}

/* A file or folder. */
static gboolean
flush_to_disk (const char *path)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  const gboolean ok = fd >= 0 && fsync (fd) == 0;
  const int saved = errno;

  if (fd >= 0)
    close (fd);
  errno = saved;
  return ok;
}

/* Opens @temporary as any reader does: its header must parse, and the arrays must be those that were asked for. Then calls @check. */
static gboolean
read_back (const Job *job, const RvmFormatContent *content, const char *temporary, const char *path, RvmWeightsCheck check, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (RvmWeights) weights = rvm_weights_open (temporary, &reason);

  if (weights && rvm_weights_get_n_arrays (weights) != content->n_arrays)
    rvm_error_set (&reason, RVM_ERROR_FORMAT, "it has %u arrays, expected %u", rvm_weights_get_n_arrays (weights), content->n_arrays);
  for (guint i = 0; reason == NULL && i < content->n_arrays; i++)
    if (rvm_weights_find (weights, content->arrays[i].name) == NULL)
      rvm_error_set (&reason, RVM_ERROR_FORMAT, "it has no array '%s'", content->arrays[i].name);
  if (reason == NULL && (check == NULL || check (weights, job->user_data, &reason)))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: what was written cannot be read back: %s", path, reason->message);
  return FALSE;
}

static gboolean
check_dtypes (const RvmFormat *format, const char *path, const RvmArray *arrays, guint n_arrays, GError **error)
{
  g_autoptr (GString) expected = g_string_new (NULL);

  for (guint dtype = 0; dtype < RVM_DTYPE_OTHER; dtype++)
    if (format->dtypes & 1u << dtype)
      g_string_append_printf (expected, "%s%s", expected->len ? ", " : "", rvm_dtype_get_name (dtype));
  for (guint i = 0; i < n_arrays; i++)
    if (!(format->dtypes & 1u << arrays[i].dtype)) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: array '%s': %s files cannot hold %s, expected one of %s", path, arrays[i].name, format->name,
          rvm_dtype_get_name (arrays[i].dtype), expected->str);
      return FALSE;
    }
  return TRUE;
}

gboolean
rvm_weights_save_checked (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, RvmWeightsCheck check,
    gpointer user_data, GHashTable *metadata, GError **error)
{
  Job job = { source, user_data };
  const RvmFormatContent content = { arrays, n_arrays, metadata, make_bytes, &job };
  const RvmFormat *format = rvm_weights_find_format (path, error);
  static gint serial;
  g_autofree char *temporary = NULL, *folder = g_path_get_dirname (path);
  gboolean ok;

  if (format == NULL)
    return FALSE;
  if (!check_dtypes (format, path, arrays, n_arrays, error))
    return FALSE;
  temporary = g_strdup_printf ("%s.%d-%d.part", path, (int) getpid (), g_atomic_int_add (&serial, 1));
  ok = format->write (temporary, &content, error);
  if (ok && !flush_to_disk (temporary)) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    ok = FALSE;
  }
  ok = ok && read_back (&job, &content, temporary, path, check, error);
  if (ok && rename (temporary, path) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    ok = FALSE;
  }
  if (!ok)
    unlink (temporary);
  else
    flush_to_disk (folder); /* the new name, before the caller deletes an older file; not every file system can */
  return ok;
}

gboolean
rvm_weights_save (const char *path, const RvmArray *arrays, guint n_arrays, RvmWeightsSource source, gpointer user_data,
    GHashTable *metadata, GError **error)
{
  return rvm_weights_save_checked (path, arrays, n_arrays, source, NULL, user_data, metadata, error);
}
