/* How well a mask fits the truth: the measures of DAVIS (Perazzi et al. 2016). Masks are uint8 (height, width), @object the value looked
 * at. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* J, intersection over union; 1 if both are empty. */
double rvm_mask_region (const guint8 *truth, const guint8 *result, guint width, guint height, guint8 object);
/* F, of boundary precision and recall, with a tolerance of a disk of ceil (0.008 * diagonal) pixels; 1 if both are empty. */
double rvm_mask_boundary (const guint8 *truth, const guint8 *result, guint width, guint height, guint8 object);

G_END_DECLS
