/* Masks as PNG files. A mask is a picture of object numbers, where 0 is the background. Files that are read are indexed or grey, with at most 8 bits;
 * the index or the grey level is the object's number, as DAVIS and most annotation tools write it. Files that are written are indexed, with DAVIS's
 * palette. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint width, height;
  guint8 *pixels;               /* (height, width), without padding */
  guint8 values[255];           /* of the objects, ascending, without 0 */
  guint n_values;
} RvmMask;

void rvm_mask_free (RvmMask * mask);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMask, rvm_mask_free)

/* RVM_ERROR_FILE if @path cannot be read, RVM_ERROR_FORMAT if it is not such a PNG, is larger than 16384 x 16384 pixels, or has no object. */
RvmMask *rvm_mask_read_png (const gchar * path, GError ** error);
/* The same, but the mask may have no object, as when all objects have left the picture. */
RvmMask *rvm_mask_read_png_or_empty (const gchar * path, GError ** error);

/* Writes @pixels (height, width) to a temporary file that is renamed when complete. RVM_ERROR_FILE. */
gboolean rvm_mask_write_png (const gchar * path, const guint8 * pixels,
    guint width, guint height, GError ** error);
/* The same of a grey picture of 16 bits. */
gboolean rvm_depth_write_png (const gchar * path, const guint16 * pixels, guint width, guint height, GError ** error);

/* Depths, in any unit; 0 is unknown. */
typedef struct
{
  guint width, height;
  guint16 *pixels;              /* (height, width), without padding */
} RvmDepths;

void rvm_depths_free (RvmDepths * depths);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDepths, rvm_depths_free)

/* A grey picture of 16 bits. Errors as of rvm_mask_read_png(). */
RvmDepths *rvm_depth_read_png (const gchar * path, GError ** error);

G_END_DECLS
