/* RvmHiding: covers parts of a sample's source frames. What a target asks for is then not all in the last source frame, so a model has to remember
 * the frames before it. Target frames are never covered. The group [hidden] of the recipe says which parts are covered, and how many. */
#pragma once

#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

typedef struct {
  guint width, height; /* pixels of a frame, multiples of the recipe's patch */
  guint sources;       /* frames, in order of time */
  guint8 *pixels;      /* (sources, height, width, 3) RGB */
} RvmHidingFrames;

enum { RVM_HIDING_GREY = 128 }; /* of every channel of a pixel that is covered */

/* Covers parts of @frames in place. All random choices come from @rng. At least one frame is neither dropped nor black. */
gboolean rvm_hiding_apply (const RvmRecipe *recipe, GRand *rng, const RvmHidingFrames *frames, GError **error);

/* Whether more of patch @number of a frame differs between @before and @after, (height, @width, 3) RGB, than is the same. */
gboolean rvm_hiding_has_covered (const guint8 *before, const guint8 *after, guint width, guint patch, guint number);

/* Makes a share of the patches of a frame grey, rounded to whole patches, which @rng chooses. */
void rvm_hiding_cover (GRand *rng, double share, guint patch, guint width, guint height, guint8 *frame);

G_END_DECLS
