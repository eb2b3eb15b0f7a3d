/* Readout files: the table of kinds, loading, and the window that a stream keeps. */
#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/ops/linear.h"
#include "kernels/runtime/process.h"
#include "readout_private.h"

static const RvmReadoutKind *const kinds[] = { &rvm_readout_class, &rvm_readout_dense, &rvm_readout_distance };

const char *const *
rvm_readout_list_kinds (void)
{
  static const char *names[G_N_ELEMENTS (kinds) + 1];
  static gsize once;

  if (g_once_init_enter (&once)) {
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      names[i] = kinds[i]->name;
    g_once_init_leave (&once, 1);
  }
  return names;
}

static const RvmReadoutKind *
find_kind (const char *name, const char *path, GError **error)
{
  g_autofree char *names = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i]->name, name) == 0)
      return kinds[i];
  names = g_strjoinv (", ", (char **) rvm_readout_list_kinds ());
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'kind': expected one of %s, found '%s'", path, names, name);
  return NULL;
}

static const RvmReadoutNetwork *
choose_network (const RvmReadoutKind *kind, const RvmWeights *weights)
{
  guint i = 0;

  while (kind->networks[i]->claims && !kind->networks[i]->claims (weights))
    i++;
  return kind->networks[i];
}

float *
rvm_readout_read_array (RvmWeights *weights, RvmSite site, RvmRole role, gsize count, GError **error)
{
  g_autofree char *name = rvm_schema_format_name (site, role);
  g_autofree float *values = g_try_new (float, count);

  if (values == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for the %" G_GSIZE_FORMAT " values of array '%s'", rvm_weights_get_path (weights), count,
        name);
    return NULL;
  }
  return rvm_weights_read (weights, rvm_weights_find (weights, name), values, error) ? g_steal_pointer (&values) : NULL;
}

static void
readout_free (RvmReadout *readout)
{
  if (readout->functions)
    readout->functions->unload (readout);
  g_clear_pointer (&readout->parameters, g_ptr_array_unref);
  rvm_readout_info_free (readout->info);
  g_clear_pointer (&readout->device, rvm_device_unref);
  g_free (readout->path);
  g_free (readout);
}

static RvmReadout *
load (const char *path, RvmDevice *device, const RvmReadoutOptions *options, gboolean trainable, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  g_autoptr (RvmReadout) readout = NULL;
  RvmReadoutOptions resolved = options ? *options : (RvmReadoutOptions){ 0 };

  if (weights == NULL || !rvm_gemm_resolve (device, &resolved.gemm, resolved.precision, error))
    return NULL;
  readout = g_new0 (RvmReadout, 1);
  readout->refs = 1;
  readout->path = g_strdup (path);
  readout->device = rvm_device_ref (device);
  readout->info = rvm_readout_info_from_metadata (rvm_weights_get_metadata (weights), path, error);
  readout->kind = readout->info ? find_kind (readout->info->kind, path, error) : NULL;
  if (readout->kind == NULL)
    return NULL;
  readout->functions = choose_network (readout->kind, weights);
  if (!readout->functions->load (readout, weights, &resolved, trainable ? &readout->parameters : NULL, error)
      || !readout->kind->check (readout, error))
    return NULL;
  return g_steal_pointer (&readout);
}

RvmReadout *
rvm_readout_new_from_file (const char *path, RvmDevice *device, const RvmReadoutOptions *options, GError **error)
{
  return load (path, device, options, FALSE, error);
}

RvmReadout *
rvm_readout_load_trainable (const char *path, RvmDevice *device, RvmGemmProvider gemm, GError **error)
{
  g_autoptr (RvmReadout) readout = load (path, device, &(RvmReadoutOptions){ .gemm = gemm }, TRUE, error);

  if (readout && readout->parameters == NULL) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: a readout of kind '%s' has nothing to train", path, readout->info->kind);
    return NULL;
  }
  return g_steal_pointer (&readout);
}

RvmReadout *
rvm_readout_ref (RvmReadout *readout)
{
  if (!rvm_process_is_forked ()) /* as with rvm_device_ref() */
    g_atomic_int_inc (&readout->refs);
  return readout;
}

void
rvm_readout_unref (RvmReadout *readout)
{
  if (readout && !rvm_process_is_forked () && g_atomic_int_dec_and_test (&readout->refs))
    readout_free (readout);
}

const RvmReadoutInfo *
rvm_readout_get_info (const RvmReadout *readout)
{
  return readout->info;
}

const char *
rvm_readout_get_path (const RvmReadout *readout)
{
  return readout->path;
}

guint
rvm_readout_get_dim (const RvmReadout *readout)
{
  return readout->dim;
}

guint
rvm_readout_get_window (const RvmReadout *readout)
{
  return readout->info->window;
}

void
rvm_readout_softmax (const float *x, float *out, guint n, guint columns)
{
  for (gsize start = 0; start < (gsize) n * columns; start += columns) {
    double top = -INFINITY, total = 0;

    for (guint i = 0; i < columns; i++)
      top = MAX (top, x[start + i]);
    for (guint i = 0; i < columns; i++)
      total += exp (x[start + i] - top);
    for (guint i = 0; i < columns; i++)
      out[start + i] = exp (x[start + i] - top) / total;
  }
}

struct _RvmReadoutStream {
  RvmReadout *readout;
  guint tokens;
  gpointer window;         /* of the network */
  guint64 frames;          /* since the last reset */
  RvmReadoutAnswer answer;
  float *values, *logits;
};

RvmReadoutStream *
rvm_readout_stream_new (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  g_autoptr (RvmReadoutStream) stream = g_new0 (RvmReadoutStream, 1);
  const RvmReadoutKind *kind = readout->kind;
  gsize count;

  stream->readout = rvm_readout_ref (readout);
  if (rows == 0 || columns == 0 || (guint64) rows * columns > G_MAXUINT16) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "a grid of %u x %u patches, expected 1 to %u in all", columns, rows, G_MAXUINT16);
    return NULL;
  }
  stream->tokens = 1 + rows * columns;
  stream->window = readout->functions->start (readout, rows, columns, error);
  if (stream->window == NULL)
    return NULL;
  kind->get_shape (readout, rows, columns, &stream->answer);
  count = (gsize) stream->answer.rows * stream->answer.columns * stream->answer.channels;
  stream->values = g_try_new (float, count);
  stream->logits = kind->has_logits (readout) ? g_try_new (float, count) : NULL;
  if (stream->values == NULL || (kind->has_logits (readout) && stream->logits == NULL)) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for %" G_GSIZE_FORMAT " values of an answer", readout->path, count);
    return NULL;
  }
  stream->answer.values = stream->values;
  stream->answer.logits = stream->logits;
  return g_steal_pointer (&stream);
}

void
rvm_readout_stream_free (RvmReadoutStream *stream)
{
  if (stream == NULL)
    return;
  stream->readout->functions->stop (stream->window);
  g_free (stream->values);
  g_free (stream->logits);
  rvm_readout_unref (stream->readout);
  g_free (stream);
}

guint64
rvm_readout_stream_get_bytes (const RvmReadoutStream *stream)
{
  const RvmReadoutNetwork *functions = stream->readout->functions;

  return functions->get_bytes ? functions->get_bytes (stream->window) : 0;
}

void
rvm_readout_stream_reset (RvmReadoutStream *stream)
{
  stream->frames = 0;
  stream->readout->functions->reset (stream->window);
}

/* A sum over all values is not finite if one of them is not. */
static gboolean
check_finite (const float *values, gsize count, const RvmReadoutStream *stream, GError **error)
{
  double sum = 0;

  for (gsize i = 0; i < count; i++)
    sum += (double) values[i] * values[i];
  if (isfinite (sum))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_MODEL, "%s: the features that it was given hold NaN or infinite values", stream->readout->path);
  return FALSE;
}

gboolean
rvm_readout_stream_push (RvmReadoutStream *stream, const float *features, const RvmReadoutAnswer **answer, GError **error)
{
  const RvmReadoutKind *kind = stream->readout->kind;
  const float *outputs;

  *answer = NULL;
  if (!check_finite (features, (gsize) stream->tokens * stream->readout->dim, stream, error)) {
    rvm_readout_stream_reset (stream);
    return FALSE;
  }
  if (stream->frames++ % stream->readout->info->stride != 0)
    return TRUE;
  outputs = stream->readout->functions->push (stream->window, features, &stream->answer.states, error);
  if (outputs == NULL) {
    rvm_readout_stream_reset (stream);
    return FALSE;
  }
  kind->interpret (stream->readout, &stream->answer, outputs, stream->values, stream->logits);
  *answer = &stream->answer;
  return TRUE;
}
