/* rvmreadout: turns the features of rvmencode into answers. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_RVMREADOUT (gst_rvmreadout_get_type ())
G_DECLARE_FINAL_TYPE (GstRvmreadout, gst_rvmreadout, GST, RVMREADOUT, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (rvmreadout)

G_END_DECLS
