/* RvmTrackAppearance: the colours and places of the cells of a picture, which rvmtrack compares beside features. Belongs to the streaming thread. */
#pragma once

#include "model/appearance.h"
#include "video/analysis.h"

G_BEGIN_DECLS

typedef struct _RvmTrackAppearance RvmTrackAppearance;

RvmTrackAppearance *rvm_track_appearance_new (const RvmAppearance * weights);
void rvm_track_appearance_free (RvmTrackAppearance * appearance);

/* For rvm_propagation_push(): of the picture of @buffer, seen as @view says, on a grid of @rows x @columns cells; NULL if both weights are 0. Valid until the
 * next call. Sets @error where colours are wanted and the picture cannot be read, for example because it lies on a GPU: then the result has places alone. */
const gfloat *rvm_track_appearance_make (RvmTrackAppearance * appearance, GstBuffer * buffer, const RvmView * view, guint rows, guint columns,
    GError ** error);

G_END_DECLS
