/* RvmSynthetic: renders video from pictures. A photo moves, grows, turns and shears as if seen by a moving camera; cut-outs move over it, turn,
 * change size and hide each other. Every frame is computed from its time, without drift or compression. Not thread-safe. */
#pragma once

#include "material.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

typedef struct _RvmSynthetic RvmSynthetic;
typedef struct _RvmSyntheticClip RvmSyntheticClip; /* one video */

/* Opens the photos and sprites of @material, which must outlive the result. Files that are not pictures are skipped with a line on standard error, or
 * are an error if they are settled. RVM_ERROR_FILE if there is no photo. @recipe: of the group [data], how many sprites there are, how many of them are
 * pieces of photos, and how much all moves. @side: the longest side of a frame. @memory: bytes of decoded pictures that are kept. */
RvmSynthetic *rvm_synthetic_new (RvmMaterial *material, const RvmRecipe *recipe, guint side, guint64 memory, GError **error);
void rvm_synthetic_free (RvmSynthetic *synthetic);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSynthetic, rvm_synthetic_free)

/* Draws a clip from @rng that lasts @frames frames of @width x @height pixels. */
RvmSyntheticClip *rvm_synthetic_clip_new (RvmSynthetic *synthetic, GRand *rng, guint width, guint height, guint frames, GError **error);
void rvm_synthetic_clip_free (RvmSyntheticClip *clip);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSyntheticClip, rvm_synthetic_clip_free)

/* @match: (height / @patch, width / @patch), for each patch of @frame the patch of @other in which the point at its middle is seen, or RVM_MATCH_NONE
 * (kernels/cl/flags.h) where that point is outside or something hides it. */
void rvm_synthetic_clip_match (const RvmSyntheticClip *clip, guint frame, guint other, guint patch, guint32 *match);

/* @object: (height / @patch, width / @patch), for each patch of @frame the number of what is seen at its middle: 0 is the photo, others are sprites; or
 * RVM_MATCH_NONE. */
void rvm_synthetic_clip_find_objects (const RvmSyntheticClip *clip, guint frame, guint patch, guint32 *object);

/* @pixels: (height, width, 3) RGB. */
gboolean rvm_synthetic_clip_render (RvmSyntheticClip *clip, guint frame, guint8 *pixels, GError **error);

G_END_DECLS
