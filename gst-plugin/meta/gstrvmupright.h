/* What metadata says of the upright picture, behind elements that scale. Private to the library. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* As the fields of #GstRvmFeatureMeta and #GstRvmTrackMeta. */
typedef struct
{
  guint width, height;
  guint orientation;
  guint pixel_aspect_n, pixel_aspect_d;
} GstRvmUpright;

/* Behind an element that scales the stored picture; a size of 0 was that of its input. @across, @along: what places have to be multiplied by. FALSE
 * if @upright has no orientation. */
gboolean gst_rvm_upright_scale (GstRvmUpright * upright,
    const GstVideoMetaTransform * scale, gdouble * across, gdouble * along);

G_END_DECLS
