/* RvmSampler: sample number n of a run: which frames of which video, which crop, which patches are visible. Everything about a sample
 * follows from the recipe, the material and its number, so a run can go on anywhere. One thread at a time. */
#pragma once

#include "material.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

typedef struct _RvmSampler RvmSampler;

/* Where one sample goes; sizes as in RvmBatch, without the axis of samples. */
typedef struct {
  guint8 *source, *target;
  guint32 *gaps, *visible;
  guint32 *match; /* NULL unless the recipe has a loss of places */
} RvmSample;

/* Photos, and sprites if there are any, are used when the recipe's share of synthetic video is not 0, clips when it is not 1. */
gboolean rvm_sampler_uses (const RvmRecipe *recipe, RvmMaterialKind kind);
/* @material: (transfer full). Files that are of no use are skipped, with a line on standard error; one that is settled is an error. */
RvmSampler *rvm_sampler_new (const RvmRecipe *recipe, RvmMaterial *material, const char *cache_dir, GError **error);
void rvm_sampler_free (RvmSampler *sampler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSampler, rvm_sampler_free)

RvmMaterial *rvm_sampler_get_material (RvmSampler *sampler); /* the sampler's; without what turned out to be of no use */
char *rvm_sampler_describe (const RvmSampler *sampler); /* what was found, one line */

/* What all samples of a batch have in common. */
typedef struct {
  guint samples, sources;
  guint width, height; /* pixels of a frame */
  guint kept;          /* visible patches of a target */
} RvmBatchShape;

/* @samples: of frames of the recipe's width and height: a process's share of the batch. Of larger frames there are fewer. */
RvmBatchShape rvm_sampler_draw_shape (const RvmSampler *sampler, guint64 pass, guint samples);
RvmBatchShape rvm_sampler_get_largest_shape (const RvmSampler *sampler, guint samples); /* the recipe's own frames, the most source frames */
gboolean rvm_sampler_draw (RvmSampler *sampler, guint64 number, const RvmBatchShape *shape, const RvmSample *sample, GError **error);

G_END_DECLS
