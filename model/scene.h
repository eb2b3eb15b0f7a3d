/* How alike two frames are, from what the encoder made of them. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Mean over the patches of the cosine between @a's and @b's token at the same place, each less its frame's mean token: what changes when a
 * frame is of another scene is what stands where; the mean token is mostly the same for all frames. -1..1. Both are (1 + patches, @dim), row
 * 0 the class token, which is left out; @patches > 0. */
float rvm_scene_similarity (const float *a, const float *b, guint patches, guint dim);

G_END_DECLS
