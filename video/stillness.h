/* RvmStillness: whether a picture is as good as the one that was analysed last.
 *
 * Compared are the means of blocks of 4 x 4 pixels, channel by channel: noise of the sensor and of the codec averages out in them, and
 * something small that moves does not. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmStillness RvmStillness;

/* For packed pictures of @width x @height pixels with three bytes each. */
RvmStillness *rvm_stillness_new (guint width, guint height);
void rvm_stillness_free (RvmStillness * stillness);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmStillness, rvm_stillness_free)

/* The largest change of a block's mean from the picture kept, in levels (0 to 255); infinite if none is. @stride: bytes. */
gdouble rvm_stillness_measure (RvmStillness * stillness,
    const guint8 * pixels, gsize stride);

/* The picture measured last is the one that later ones are compared with. */
void rvm_stillness_keep (RvmStillness * stillness);

guint rvm_stillness_get_width (const RvmStillness * stillness);
guint rvm_stillness_get_height (const RvmStillness * stillness);

G_END_DECLS
