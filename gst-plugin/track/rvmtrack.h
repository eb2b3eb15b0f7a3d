/* rvmtrack: follows points, boxes and masks by the features of rvmencode. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_RVMTRACK (gst_rvmtrack_get_type ())
G_DECLARE_FINAL_TYPE (GstRvmtrack, gst_rvmtrack, GST, RVMTRACK, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (rvmtrack)

G_END_DECLS
