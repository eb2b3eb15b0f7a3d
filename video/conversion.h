/* RvmConversion: converts pictures of any raw format to packed pixels of another size. It alone decides how pictures are resized: by linear
 * interpolation over the covered area, without dithering, with both fields of a frame as one picture. So training, evaluation and rvmencode do it the
 * same way. It uses one thread, because the caller's other threads are busy. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct _RvmConversion RvmConversion;

/* Converts pictures of @in, or their part @part (nullable), to @width x @height pixels of @format, which has one plane, in rows without padding.
 * GST_STREAM_ERROR if GStreamer cannot do that. */
RvmConversion *rvm_conversion_new (const GstVideoInfo * in,
    const GstVideoRectangle * part, GstVideoFormat format, guint width,
    guint height, GError ** error);
void rvm_conversion_free (RvmConversion * conversion);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmConversion, rvm_conversion_free)

/* Bytes of a row and of all pixels. */
gsize rvm_conversion_get_stride (const RvmConversion * conversion);
gsize rvm_conversion_get_size (const RvmConversion * conversion);

/* Converts the picture of @buffer into @pixels. GST_STREAM_ERROR if @buffer does not hold one. */
gboolean rvm_conversion_run (RvmConversion * conversion, GstBuffer * buffer,
    guint8 * pixels, GError ** error);

G_END_DECLS
