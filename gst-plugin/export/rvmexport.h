/* rvmexport: writes features to files. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_RVM_EXPORT (gst_rvm_export_get_type ())
G_DECLARE_FINAL_TYPE (GstRvmExport, gst_rvm_export, GST, RVM_EXPORT,
    GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (rvmexport)

G_END_DECLS
