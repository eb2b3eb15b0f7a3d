/* rvmoverlay: shows what rvmencode found on the picture. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_RVM_OVERLAY (gst_rvm_overlay_get_type ())
G_DECLARE_FINAL_TYPE (GstRvmOverlay, gst_rvm_overlay, GST, RVM_OVERLAY, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (rvmoverlay)

G_END_DECLS
