/* RvmSampler: makes sample number n of a run: which frames of which video, which crop, which patches are visible. A sample is determined by the
 * recipe, the material and its number, so that a run can continue anywhere. Not thread-safe. */
#pragma once

#include "material.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

typedef struct _RvmSampler RvmSampler;

/* Memory that one sample is written to; sizes as in RvmBatch, without the axis of samples. */
typedef struct {
  guint8 *source, *target;
  guint32 *gaps, *visible;
  guint32 *match, *object; /* NULL unless the recipe has a loss of places or of objects (rvm_recipe_has_matches()) */
} RvmSample;

/* Photos, and sprites if there are any, are used when the recipe's share of synthetic video is not 0, clips when it is not 1. */
gboolean rvm_sampler_uses (const RvmRecipe *recipe, RvmMaterialKind kind);
/* @material: (transfer full). A file that cannot be used is skipped with a line on standard error, or is an error if the run has used it before
 * (its `settled`). */
RvmSampler *rvm_sampler_new (const RvmRecipe *recipe, RvmMaterial *material, const char *cache_dir, GError **error);
void rvm_sampler_free (RvmSampler *sampler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSampler, rvm_sampler_free)

RvmMaterial *rvm_sampler_get_material (RvmSampler *sampler); /* (transfer none); without the files that were skipped */
char *rvm_sampler_describe (const RvmSampler *sampler); /* (transfer full): the material in one line */

/* Sizes that all samples of a batch have in common. */
typedef struct {
  guint samples, sources;
  guint width, height; /* pixels of a frame */
  guint kept;          /* visible patches of a target */
} RvmBatchShape;

/* The sizes of batch number @pass. @samples: a process's share of a batch of frames of the recipe's width and height; of larger frames there are
 * fewer. */
RvmBatchShape rvm_sampler_draw_shape (const RvmSampler *sampler, guint64 pass, guint samples);
RvmBatchShape rvm_sampler_get_largest_shape (const RvmSampler *sampler, guint samples); /* the recipe's own frames, the most source frames */
gboolean rvm_sampler_draw (RvmSampler *sampler, guint64 number, const RvmBatchShape *shape, const RvmSample *sample, GError **error);

G_END_DECLS
