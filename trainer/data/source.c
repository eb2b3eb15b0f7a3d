/* One producer, one consumer, and a queue of a few batches between them. The lock @sampling protects the sampler. */
#include "source.h"

#include <string.h>

#include "kernels/error.h"

enum { AHEAD = 3 }; /* batches made before they are asked for */

/* The batch of pictures: no run has so many passes. */
#define PROBE_PASS (G_GUINT64_CONSTANT (1) << 40)

struct _RvmSource {
  RvmRecipe recipe;
  guint samples, offset; /* of a batch: how many of the recipe's, and which comes first */
  RvmSampler *sampler;
  char *description;
  GThread *thread;
  GMutex sampling, lock;
  GCond changed;
  GQueue ready;    /* RvmSourceBatch */
  GError *failure; /* what ended the thread */
  guint64 pass;    /* made next */
  gboolean stop;
};

void
rvm_source_batch_free (RvmSourceBatch *batch)
{
  g_free ((gpointer) batch->batch.source);
  g_free ((gpointer) batch->batch.target);
  g_free ((gpointer) batch->batch.gaps);
  g_free ((gpointer) batch->batch.visible);
  g_free ((gpointer) batch->batch.match);
  g_free ((gpointer) batch->batch.object);
  g_free (batch);
}

static RvmSourceBatch *
make_batch (RvmSource *source, guint64 number, const RvmBatchShape *shape, GError **error)
{
  const RvmRecipe *recipe = &source->recipe;
  const gsize picture = (gsize) shape->width * shape->height * 3, pictures = (gsize) recipe->targets * shape->samples;
  const gsize patches = picture / 3 / recipe->model.patch / recipe->model.patch;
  RvmSample all = {
    .source = g_malloc (picture * shape->sources * shape->samples), .target = g_malloc (picture * pictures),
    .gaps = g_new (guint32, pictures), .visible = g_new (guint32, pictures * shape->kept),
    .match = rvm_recipe_has_matches (recipe) ? g_new (guint32, shape->samples * patches) : NULL,
    .object = rvm_recipe_has_matches (recipe) ? g_new (guint32, 2 * shape->samples * patches) : NULL,
  };
  g_autoptr (RvmSourceBatch) batch = g_new0 (RvmSourceBatch, 1);
  gboolean ok = TRUE;

  batch->batch = (RvmBatch){
    .sources = shape->sources, .samples = shape->samples, .rows = shape->height / recipe->model.patch,
    .columns = shape->width / recipe->model.patch, .kept = shape->kept,
    .source = all.source, .target = all.target, .gaps = all.gaps, .visible = all.visible, .match = all.match,
    .object = all.object,
  };
  batch->first = number * recipe->batch + source->offset;
  g_mutex_lock (&source->sampling);
  for (guint i = 0; ok && i < shape->samples; i++) {
    const RvmSample sample = {
      all.source + i * shape->sources * picture, all.target + i * recipe->targets * picture, all.gaps + i * recipe->targets,
      all.visible + i * recipe->targets * shape->kept, all.match ? all.match + i * patches : NULL,
      all.object ? all.object + 2 * i * patches : NULL,
    };
    ok = rvm_sampler_draw (source->sampler, batch->first + i, shape, &sample, error);
  }
  g_mutex_unlock (&source->sampling);
  return ok ? g_steal_pointer (&batch) : NULL;
}

static gpointer
work (gpointer user_data)
{
  RvmSource *source = user_data;

  g_mutex_lock (&source->lock);
  while (!source->stop && source->failure == NULL) {
    if (source->ready.length >= AHEAD) {
      g_cond_wait (&source->changed, &source->lock);
    } else {
      const RvmBatchShape shape = rvm_sampler_draw_shape (source->sampler, source->pass, source->samples);
      GError *error = NULL;
      RvmSourceBatch *batch;

      g_mutex_unlock (&source->lock);
      batch = make_batch (source, source->pass, &shape, &error);
      g_mutex_lock (&source->lock);
      source->pass++;
      /* A batch that cannot be made ends the run. It is never left out, since numbers of samples must not shift. */
      if (batch)
        g_queue_push_tail (&source->ready, batch);
      else if (error == NULL)
        rvm_error_set (&error, RVM_ERROR_FORMAT, "batch %" G_GUINT64_FORMAT " could not be made, for an unknown reason", source->pass - 1);
      source->failure = error;
      g_cond_broadcast (&source->changed);
    }
  }
  g_mutex_unlock (&source->lock);
  return NULL;
}

RvmSource *
rvm_source_new (const RvmRecipe *recipe, RvmSampler *sampler, const RvmShard *shard, guint64 first_pass)
{
  RvmSource *source = g_new0 (RvmSource, 1);

  g_mutex_init (&source->sampling);
  g_mutex_init (&source->lock);
  g_cond_init (&source->changed);
  source->recipe = *recipe;
  source->samples = recipe->batch / (shard ? shard->size : 1);
  source->offset = shard ? shard->rank * source->samples : 0;
  source->pass = first_pass;
  source->sampler = sampler;
  source->description = rvm_sampler_describe (source->sampler);
  source->thread = g_thread_new ("rvm-source", work, source);
  return source;
}

void
rvm_source_free (RvmSource *source)
{
  if (source == NULL)
    return;
  g_mutex_lock (&source->lock);
  source->stop = TRUE;
  g_cond_broadcast (&source->changed);
  g_mutex_unlock (&source->lock);
  g_clear_pointer (&source->thread, g_thread_join);
  g_queue_clear_full (&source->ready, (GDestroyNotify) rvm_source_batch_free);
  g_clear_error (&source->failure);
  g_clear_pointer (&source->sampler, rvm_sampler_free);
  g_free (source->description);
  g_cond_clear (&source->changed);
  g_mutex_clear (&source->lock);
  g_mutex_clear (&source->sampling);
  g_free (source);
}

guint64
rvm_source_predict_memory (const RvmRecipe *recipe, guint samples)
{
  const guint64 picture = (guint64) recipe->width * recipe->height * 3, frames = (guint64) recipe->sources_max + recipe->targets;

  return ((guint64) recipe->clip_memory << 20) + (AHEAD + 2) * samples * frames * picture; /* one being made, one in use */
}

const char *
rvm_source_get_description (const RvmSource *source)
{
  return source->description;
}

RvmSourceBatch *
rvm_source_next (RvmSource *source, GError **error)
{
  RvmSourceBatch *batch;

  g_mutex_lock (&source->lock);
  while ((batch = g_queue_pop_head (&source->ready)) == NULL && source->failure == NULL)
    g_cond_wait (&source->changed, &source->lock);
  if (batch == NULL)
    g_propagate_error (error, g_error_copy (source->failure));
  g_cond_broadcast (&source->changed);
  g_mutex_unlock (&source->lock);
  return batch;
}

RvmSourceBatch *
rvm_source_get_probe (RvmSource *source, GError **error)
{
  const RvmBatchShape shape = rvm_sampler_get_largest_shape (source->sampler, source->samples);

  return make_batch (source, PROBE_PASS, &shape, error);
}
