/* RvmHiding: covers parts of the source frames of a sample, so that what a target asks for is not all in the last of them: a model that
 * predicts it has to remember the frames before. Target frames are never covered. Which parts, and how many, is the recipe's group [hidden]. */
#pragma once

#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

typedef struct {
  guint width, height; /* pixels of a frame, multiples of the recipe's patch */
  guint sources;       /* frames, in order of time */
  guint8 *pixels;      /* (sources, height, width, 3) RGB */
} RvmHidingFrames;

enum { RVM_HIDING_GREY = 128 }; /* of every channel of a pixel that is covered */

/* Covers parts of @frames in place; everything random comes from @rng. At least one frame is neither dropped nor black. RVM_ERROR_MEMORY. */
gboolean rvm_hiding_apply (const RvmRecipe *recipe, GRand *rng, const RvmHidingFrames *frames, GError **error);

G_END_DECLS
