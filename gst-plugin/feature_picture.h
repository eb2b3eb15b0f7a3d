/* RvmFeaturePicture: features as a small picture, a pixel for each patch, stable
 * from frame to frame. Belongs to one stream. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum
{
  RVM_PICTURE_PCA,              /* the three strongest principal components as red, green, blue */
  RVM_PICTURE_SIMILARITY,       /* cosine with the features of one patch of the same frame */
  RVM_PICTURE_CHANGE,           /* cosine distance from the patch one frame before */
  RVM_PICTURE_NONE,             /* nothing: never rendered */
} RvmPictureKind;

typedef struct _RvmFeaturePicture RvmFeaturePicture;

/* @fit_frames: the principal components are those of the first frames; then
 * they stay, so that a colour keeps its meaning. */
RvmFeaturePicture *rvm_feature_picture_new (guint fit_frames);
void rvm_feature_picture_free (RvmFeaturePicture * picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFeaturePicture, rvm_feature_picture_free)

/* Makes the picture of @patches, float32 (@rows, @columns, @dim), into @bgra
 * (@rows * @columns * 4 bytes, alpha @alpha). @x, @y: the patch that others are
 * compared with, as fractions of the picture. A grid of another size starts
 * everything anew. */
void rvm_feature_picture_render (RvmFeaturePicture * picture,
    RvmPictureKind kind, const gfloat * patches, guint rows, guint columns,
    guint dim, gdouble x, gdouble y, guint8 alpha, guint8 * bgra);

G_END_DECLS
