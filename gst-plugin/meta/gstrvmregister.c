/* GStreamer's hooks are functions without data, so what turns a meta into bytes is kept with the type of its API. */
#include "gstrvmregister.h"

#if GST_CHECK_VERSION (1, 24, 0)

static GQuark
bytes_quark (void)
{
  return g_quark_from_static_string ("gst-rvm-meta-bytes");
}

static const GstRvmMetaBytes *
get_bytes (const GstMetaInfo * info)
{
  return g_type_get_qdata (info->api, bytes_quark ());
}

static gboolean
serialise (const GstMeta * meta, GstByteArrayInterface * out, guint8 * version)
{
  g_autoptr (GBytes) bytes = get_bytes (meta->info)->to_bytes (meta);

  *version = GST_RVM_SERIALISE_VERSION;
  return gst_byte_array_interface_append_data (out, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

/* The version is the first of the bytes, too, where it is looked at. */
static GstMeta *
deserialise (const GstMetaInfo * info, GstBuffer * buffer, const guint8 * data, gsize size, guint8 version)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);

  return get_bytes (info)->from_bytes (buffer, bytes);
}

const GstMetaInfo *
gst_rvm_meta_register (GType api, const gchar * impl, gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform, const GstRvmMetaBytes * bytes)
{
  GstMetaInfo *info = gst_meta_info_new (api, impl, size);

  g_type_set_qdata (api, bytes_quark (), (gpointer) bytes);
  info->init_func = init;
  info->free_func = free;
  info->transform_func = transform;
  info->serialize_func = serialise;
  info->deserialize_func = deserialise;
  return gst_meta_info_register (info);
}

#else

const GstMetaInfo *
gst_rvm_meta_register (GType api, const gchar * impl, gsize size, GstMetaInitFunction init, GstMetaFreeFunction free,
    GstMetaTransformFunction transform, const GstRvmMetaBytes * bytes)
{
  return gst_meta_register (api, impl, size, init, free, transform);
}

#endif
