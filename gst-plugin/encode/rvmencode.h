/* rvmencode: runs the model on each frame and attaches its features. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_RVM_ENCODE (gst_rvm_encode_get_type ())
G_DECLARE_FINAL_TYPE (GstRvmEncode, gst_rvm_encode, GST, RVM_ENCODE,
    GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (rvmencode)

G_END_DECLS
