/* RvmFeaturePicture: features as a small picture, a pixel for each patch, stable
 * from frame to frame. Belongs to one stream. */
#pragma once

#include "feature_basis.h"

G_BEGIN_DECLS

typedef enum
{
  RVM_PICTURE_PCA,              /* three directions in feature space as red, green, blue */
  RVM_PICTURE_SIMILARITY,       /* cosine with the features of one patch */
  RVM_PICTURE_CHANGE,           /* cosine distance from the patch one frame before */
  RVM_PICTURE_NONE,             /* nothing: the picture stays as it is */
} RvmPictureKind;

/* What to show. */
typedef struct
{
  RvmPictureKind kind;
  gdouble x, y;                 /* similarity: the point, as fractions of the picture */
  gboolean hold;                /* similarity: with what was at the point when it was chosen, not with what is there now */
  guint choice;                 /* changes when the point is chosen again */
  gdouble gain;                 /* change: what distances are multiplied by, 1 is the top colour */
} RvmPictureSettings;

typedef struct _RvmFeaturePicture RvmFeaturePicture;

/* @basis: (transfer full): of RVM_PICTURE_PCA. */
RvmFeaturePicture *rvm_feature_picture_new (RvmFeatureBasis * basis);
void rvm_feature_picture_free (RvmFeaturePicture * picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFeaturePicture, rvm_feature_picture_free)

/* Another video follows: the frame before and what is held are forgotten, not the basis. */
void rvm_feature_picture_forget (RvmFeaturePicture * picture);

/* Makes the picture of @patches, float32 (@rows, @columns, @dim), into @argb: @rows lines of @stride bytes, each pixel a guint32
 * 0xffRRGGBB as cairo has it. @same: these are the features of the call before. A grid of another size forgets the frame before and what is
 * held, not the basis. */
gboolean rvm_feature_picture_render (RvmFeaturePicture * picture,
    const RvmPictureSettings * settings, const gfloat * patches, guint rows,
    guint columns, guint dim, gboolean same, guint8 * argb, gsize stride,
    GError ** error);

G_END_DECLS
