/* What metadata says about the upright picture, after elements that scale. Private to the library. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Like the fields of #GstRvmFeatureMeta and #GstRvmTrackMeta. */
typedef struct
{
  guint width, height;
  guint orientation;
  guint pixel_aspect_n, pixel_aspect_d;
} GstRvmUpright;

/* Adapts @upright to an element that scales the stored picture; a size of 0 means that of its input. @across, @along: factors for positions. Returns
 * FALSE if @upright has no orientation. */
gboolean gst_rvm_upright_scale (GstRvmUpright * upright,
    const GstVideoMetaTransform * scale, gdouble * across, gdouble * along);

G_END_DECLS
