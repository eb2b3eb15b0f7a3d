/* RvmTrackAppearance: the picture in rvmtrack: the colours and places of its cells, which are compared beside features, and the small picture whose edges
 * masks follow. Belongs to the streaming thread. */
#pragma once

#include "model/appearance.h"
#include "video/analysis.h"

G_BEGIN_DECLS

typedef struct _RvmTrackAppearance RvmTrackAppearance;

#define RVM_TRACK_PATCH 8       /* pixels across a cell of the small picture */

RvmTrackAppearance *rvm_track_appearance_new (const RvmAppearance * weights);
void rvm_track_appearance_free (RvmTrackAppearance * appearance);

/* For rvm_propagation_push(): of the picture of @buffer, seen as @view says, on a grid of @rows x @columns cells; NULL if both weights are 0. Valid until the
 * next call. @picture: set to the small picture, RGB (@rows * RVM_TRACK_PATCH, @columns * RVM_TRACK_PATCH, 3), or to NULL if it cannot be read; itself NULL if
 * it is not wanted. Sets @error where colours or the picture are wanted and the picture cannot be read, for example because it lies on a GPU: then the result has places alone. */
const gfloat *rvm_track_appearance_make (RvmTrackAppearance * appearance, GstBuffer * buffer, const RvmView * view, guint rows, guint columns,
    const guint8 ** picture, GError ** error);

G_END_DECLS
