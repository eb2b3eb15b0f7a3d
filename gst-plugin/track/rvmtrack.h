/* rvmtrack: follows points, boxes and masks by the features of rvmencode. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_RVM_TRACK (gst_rvm_track_element_get_type ())
G_DECLARE_FINAL_TYPE (GstRvmTrackElement, gst_rvm_track_element, GST, RVM_TRACK, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (rvmtrack)

G_END_DECLS
