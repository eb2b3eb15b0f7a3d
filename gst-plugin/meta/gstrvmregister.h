/* Registration of the metas, with the serialisation hooks of GStreamer 1.24 and later. Private to the library. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Version of the layout of the bytes; other versions are refused. Version 1 had no encoder, stream, source, update, orientation and pixel aspect
 * ratio. */
#define GST_RVM_SERIALISE_VERSION 2

typedef struct
{
  GBytes *(*to_bytes) (const GstMeta * meta);
  /* Returns NULL, with a warning in the debug log, if @bytes are not those of such a meta. */
  GstMeta *(*from_bytes) (GstBuffer * buffer, GBytes * bytes);
} GstRvmMetaBytes;

/* @bytes must stay valid. */
const GstMetaInfo *gst_rvm_meta_register (GType api, const gchar * impl,
    gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform, const GstRvmMetaBytes * bytes);

G_END_DECLS
