/* Loading of models, and the table of those that the process has loaded. */
#include "model.h"

#include <glib/gstdio.h>

#include "kernels/runtime/process.h"
#include "model_private.h"

/* Models in use, by key. The table holds no reference; the last unref removes the model. One lock guards the table and the reference counts. It is not
 * held while a file is loaded, because that takes a while and would stop every stream that starts or ends. A thread that wants a model which another
 * thread is loading waits for it, so that two streams that start together load a file once. */
static GMutex table_lock;
static GCond loaded; /* with table_lock: a key was removed from the set below */
static GHashTable *table;
static GHashTable *loading; /* the set of keys being loaded, or NULL */

static void
model_free (RvmModel *model)
{
  rvm_tokenizer_clear (&model->tokenizer);
  rvm_encoder_clear (&model->encoder);
  rvm_core_clear (&model->core);
  rvm_decoder_clear (&model->decoder);
  g_clear_pointer (&model->parameters, g_ptr_array_unref);
  g_clear_pointer (&model->device, rvm_device_unref);
  g_free (model->id);
  g_free (model->key);
  g_free (model);
}

/* Two users share a model if their keys are equal. The file's identity and modification time are part of the key, so a file that was replaced is
 * another model. */
static char *
make_key (const char *path, const RvmDevice *device, const RvmModelOptions *options, RvmGemmProvider gemm)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  GStatBuf info = { 0 };

  if (g_stat (path, &info) != 0)
    return NULL; /* opening the file will fail, too, with an error */
  return g_strdup_printf ("%s|%" G_GUINT64_FORMAT "|%" G_GINT64_FORMAT "|%ld|%" G_GINT64_FORMAT "|%p|%d|%d", absolute,
      (guint64) info.st_ino, (gint64) info.st_mtim.tv_sec, (long) info.st_mtim.tv_nsec, (gint64) info.st_size, (const void *) device,
      gemm, options->precision);
}

static RvmModel *
load (const char *path, RvmDevice *device, RvmGemmProvider gemm, RvmElement precision, gboolean trainable, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  g_autoptr (RvmLoader) loader = NULL;
  RvmModel *model;
  RvmConfig config;
  RvmSchema schema;

  if (weights == NULL || !rvm_config_from_weights (&config, weights, trainable, error))
    return NULL;
  if (trainable && config.decoder.layers == 0) {
    g_autofree char *name = rvm_schema_format_name ((RvmSite){ RVM_PART_DECODER, RVM_LAYER_DECODER_EMBED, 0 }, RVM_ROLE_KERNEL);
    g_set_error (error, RVM_ERROR, RVM_ERROR_MODEL, "%s: has no decoder, which training needs (array '%s')", path, name);
    return NULL;
  }
  model = g_new0 (RvmModel, 1);
  model->refs = 1;
  model->config = config;
  model->device = rvm_device_ref (device);
  model->gemm = gemm;
  model->precision = precision;
  schema = rvm_config_get_schema (&config);
  loader = rvm_loader_new (weights, &schema, device, gemm, precision);
  if (trainable)
    rvm_loader_keep_parameters (loader);
  rvm_tokenizer_load (&model->tokenizer, loader, config.patch, config.encoder.dim);
  rvm_encoder_load (&model->encoder, loader, &config.encoder);
  rvm_core_load (&model->core, loader, &config.core);
  if (trainable)
    rvm_decoder_load (&model->decoder, loader, &config.decoder, config.patch, config.deltas);
  if (!rvm_loader_finish (loader, error)) {
    model_free (model);
    return NULL;
  }
  model->id = rvm_loader_get_id (loader);
  model->parameters = rvm_loader_steal_parameters (loader);
  return model;
}

RvmModel *
rvm_model_load_trainable (const char *path, const RvmModelOptions *options, GError **error)
{
  g_autoptr (RvmDevice) device = rvm_device_open (options->device, options->cache_dir, error);
  RvmGemmProvider gemm = options->gemm;

  if (options->precision != RVM_ELEMENT_F32 && options->precision != RVM_ELEMENT_BF16) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "precision %s: expected f32 or bf16 for training", rvm_element_get_name (options->precision));
    return NULL;
  }
  if (device == NULL || !rvm_gemm_resolve (device, &gemm, options->precision, error))
    return NULL;
  return load (path, device, gemm, options->precision, TRUE, error);
}

/* A new reference to the model of @key, or NULL. Called with the lock held. */
static RvmModel *
find_model (const char *key)
{
  RvmModel *model = table ? g_hash_table_lookup (table, key) : NULL;

  if (model)
    model->refs++;
  return model;
}

RvmModel *
rvm_model_load (const char *path, const RvmModelOptions *options, GError **error)
{
  g_autoptr (RvmDevice) device = rvm_device_open (options->device, options->cache_dir, error);
  RvmGemmProvider gemm = options->gemm;
  g_autofree char *key = NULL;
  RvmModel *model;

  if (device == NULL || !rvm_gemm_resolve (device, &gemm, options->precision, error))
    return NULL;
  key = make_key (path, device, options, gemm);

  if (key == NULL) /* fails with an error */
    return load (path, device, gemm, options->precision, FALSE, error);

  g_mutex_lock (&table_lock);
  while ((model = find_model (key)) == NULL && loading && g_hash_table_contains (loading, key))
    g_cond_wait (&loaded, &table_lock);
  if (model) {
    g_mutex_unlock (&table_lock);
    return model;
  }
  if (loading == NULL)
    loading = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_add (loading, key);
  g_mutex_unlock (&table_lock);

  model = load (path, device, gemm, options->precision, FALSE, error);

  g_mutex_lock (&table_lock);
  g_hash_table_remove (loading, key);
  if (g_hash_table_size (loading) == 0)
    g_clear_pointer (&loading, g_hash_table_unref);
  if (model) {
    if (table == NULL)
      table = g_hash_table_new (g_str_hash, g_str_equal);
    model->key = g_steal_pointer (&key);
    g_hash_table_insert (table, model->key, model);
  }
  g_cond_broadcast (&loaded);
  g_mutex_unlock (&table_lock);
  return model;
}

RvmModel *
rvm_model_ref (RvmModel *model)
{
  if (rvm_process_is_forked ()) /* as with rvm_device_ref() */
    return model;
  g_mutex_lock (&table_lock);
  model->refs++;
  g_mutex_unlock (&table_lock);
  return model;
}

void
rvm_model_unref (RvmModel *model)
{
  gboolean last;

  if (model == NULL || rvm_process_is_forked ())
    return;
  g_mutex_lock (&table_lock);
  last = --model->refs == 0;
  if (last && model->key) {
    g_hash_table_remove (table, model->key);
    if (g_hash_table_size (table) == 0)
      g_clear_pointer (&table, g_hash_table_unref);
  }
  g_mutex_unlock (&table_lock);
  if (last)
    model_free (model);
}

const RvmConfig *
rvm_model_get_config (const RvmModel *model)
{
  return &model->config;
}

RvmDevice *
rvm_model_get_device (const RvmModel *model)
{
  return model->device;
}

RvmGemmProvider
rvm_model_get_gemm (const RvmModel *model)
{
  return model->gemm;
}

RvmElement
rvm_model_get_precision (const RvmModel *model)
{
  return model->precision;
}

const char *
rvm_model_get_id (const RvmModel *model)
{
  return model->id;
}

guint64
rvm_model_count_flops (const RvmModel *model, guint rows, guint columns)
{
  const guint64 patches = (guint64) rows * columns, tokens = patches + 1;

  return rvm_tokenizer_flops (&model->tokenizer, patches) + rvm_encoder_flops (&model->encoder, tokens)
      + rvm_core_flops (&model->core, tokens);
}
