/* Regions of a picture as patches, and how alike regions of other pictures are. */
#pragma once

#include "archive/database/record.h"

G_BEGIN_DECLS

typedef struct {
  gboolean given; /* FALSE: the whole picture */
  double x, y, width, height; /* of the upright picture, pixels; a point has no size */
  const char *mask;           /* (nullable): a PNG of that picture instead; what is not 0 */
} RvmRegion;

/* RVM_ERROR_ARGUMENT for what is not "x,y,width,height" or "x,y". */
gboolean rvm_region_parse (const char *box, const char *point, const char *mask, RvmRegion *region, GError **error);

/* (transfer full): how much of each patch the region covers, 0 to 1, on the grid of @shape; at least one patch is covered. @share: of the picture.
 * RVM_ERROR_ARGUMENT if the region is outside of the picture, RVM_ERROR_FORMAT if a mask has another shape. */
float *rvm_region_cover (const RvmRegion *region, const RvmRecord *shape, double *share, GError **error);
void rvm_region_average (const float *cover, const float *patches, gsize n, guint dim, float *average);

/* @score: the mean cosine of as many patches of a moment as @share of the picture has, those that are most like the query; @best: the first of them.
 * @cosines: of its patches; changed. */
float rvm_region_score (float *cosines, gsize n, double share, guint *best);

G_END_DECLS
