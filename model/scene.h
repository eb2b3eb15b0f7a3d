/* How similar two frames are, by the outputs of the encoder. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The mean, over the patches, of the cosine between the tokens of @a and @b at the same place, each less the mean token of its frame; -1 to 1.
 * Subtracting the mean token leaves what differs between places, which is what a change of scene alters. Both are (1 + @patches, @dim); row 0 is the
 * class token, which is left out. @patches > 0. */
float rvm_scene_similarity (const float *a, const float *b, guint patches, guint dim);

G_END_DECLS
