/* Registration of the metas, with the hooks that GStreamer 1.24 and later have for their bytes. Private to the library. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Of which layout the bytes are: what was written by another one is refused. 1: without encoder, stream, source, update, orientation and shape of
 * pixels. */
#define GST_RVM_SERIALISE_VERSION 2

typedef struct
{
  GBytes *(*to_bytes) (const GstMeta * meta);
  /* NULL, with a warning in the debug log, if @bytes are not those of such a meta. */
  GstMeta *(*from_bytes) (GstBuffer * buffer, GBytes * bytes);
} GstRvmMetaBytes;

/* @bytes stay. */
const GstMetaInfo *gst_rvm_meta_register (GType api, const gchar * impl,
    gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform, const GstRvmMetaBytes * bytes);

G_END_DECLS
