/* The metas as bytes, little-endian, so that they can cross to other processes: what GStreamer 1.24's unixfdsink does by the hooks of
 * GstMetaInfo, and older versions' applications may do themselves. Private to the library but for the functions in its public headers. */
#pragma once

#include "gstrvmtrackmeta.h"

G_BEGIN_DECLS

#define GST_RVM_SERIALISE_VERSION 1

/* Registers @impl with the hooks where GStreamer knows them. */
const GstMetaInfo *gst_rvm_meta_register (GType api, const gchar * impl,
    gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform);

G_END_DECLS
