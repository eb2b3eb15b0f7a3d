/* RvmSynthetic: video made of pictures. A photo moves, grows, turns and leans as seen by a moving camera; cut-outs move over it, turn,
 * change size and hide each other. Every frame is exact for its time: there is no drift and no compression. One thread at a time. */
#pragma once

#include "material.h"

G_BEGIN_DECLS

typedef struct _RvmSynthetic RvmSynthetic;
typedef struct _RvmSyntheticClip RvmSyntheticClip; /* one video */

/* The photos and sprites of @material, which outlives the result. Files that are no pictures are told in one line and skipped, or, if
 * they are settled, an error; no photo that is one is RVM_ERROR_FILE. @side: the longest one of a frame. @motion: of everything, 1: a
 * camera moves up to two widths of the frame in a clip. @memory: bytes of decoded pictures kept. */
RvmSynthetic *rvm_synthetic_new (RvmMaterial *material, guint side, guint sprites_max, double motion, guint64 memory, GError **error);
void rvm_synthetic_free (RvmSynthetic *synthetic);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSynthetic, rvm_synthetic_free)

/* Draws a clip from @rng that lasts @frames frames of @width x @height pixels. */
RvmSyntheticClip *rvm_synthetic_clip_new (RvmSynthetic *synthetic, GRand *rng, guint width, guint height, guint frames, GError **error);
void rvm_synthetic_clip_free (RvmSyntheticClip *clip);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSyntheticClip, rvm_synthetic_clip_free)

/* @match: (height / @patch, width / @patch), for each patch of @frame the patch of @other in which the point at its middle is seen, or RVM_MATCH_NONE
 * (kernels/cl/flags.h) where that point is outside or something hides it. */
void rvm_synthetic_clip_match (const RvmSyntheticClip *clip, guint frame, guint other, guint patch, guint32 *match);

/* @pixels: (height, width, 3) RGB. */
gboolean rvm_synthetic_clip_render (RvmSyntheticClip *clip, guint frame, guint8 *pixels, GError **error);

G_END_DECLS
