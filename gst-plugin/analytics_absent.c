/* Without gstreamer-analytics-1.0. */
#include "analytics.h"

void
rvm_analytics_get_detections (GstBuffer * buffer, GArray * boxes)
{
}

void
rvm_analytics_add_tracks (GstBuffer * buffer, const GstRvmTrackMeta * tracks, const RvmView * view)
{
}

void
rvm_analytics_add_features (GstBuffer * buffer, const GstRvmFeatureMeta * features)
{
}

void
rvm_analytics_add_readout (GstBuffer * buffer, const GstRvmReadoutMeta * readout)
{
}

void
rvm_analytics_add_tensor_caps (GstCaps * caps, guint classes)
{
}

void
rvm_analytics_remove_tensor_caps (GstCaps * caps)
{
}
