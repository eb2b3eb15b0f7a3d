/* Reads and adds entries of GStreamer's analytics library (gstreamer-analytics-1.0, in GStreamer 1.24 and later): object detections with tracking
 * entries, and from 1.26 on segmentation and tensors. Where the plugin was built without the library (RVM_HAVE_ANALYTICS is not defined), these
 * functions do nothing. */
#pragma once

#include "meta/gstrvmreadout.h"
#include "meta/gstrvmtrackmeta.h"
#include "video/view.h"

G_BEGIN_DECLS

/* Appends the object detections on @buffer that no tracking entry belongs to, to @boxes (GstRvmTrack): pixels, and the type as label. */
void rvm_analytics_get_detections (GstBuffer * buffer, GArray * boxes);

/* Adds to the GstAnalyticsRelationMeta of @buffer (made if there is none): for each visible box and mask an object detection, related to a
 * tracking entry whose id is the track's; for the picture of masks, if there is one, a segmentation entry that covers what is shown,
 * related to each of its objects (1.26). All of it in pixels of the stored picture, which is seen as @view says; masks lie as it does. */
void rvm_analytics_add_tracks (GstBuffer * buffer,
    const GstRvmTrackMeta * tracks, const RvmView * view);

/* Adds a GstTensorMeta that shares the memory of @features: "rvm-class-token" (1, dim), "rvm-patches" (1, rows, columns, dim), each if
 * there (1.26). */
void rvm_analytics_add_features (GstBuffer * buffer,
    const GstRvmFeatureMeta * features);

/* Of classes: adds a classification entry with all of them, whose labels are their names, to the GstAnalyticsRelationMeta of @buffer (made if there is
 * none), and a tensor "classification-generic-out" (1, classes) with the logits (1.26), as GStreamer's classification decoder reads it. @readout: nullable. */
void rvm_analytics_add_readout (GstBuffer * buffer,
    const GstRvmReadoutMeta * readout);

/* Adds to @caps, which are writable, that the buffers have the tensor of rvm_analytics_add_readout() with @classes logits (1.28). That of another
 * readout is replaced: decoders take the first, which is that of the nearest. */
void rvm_analytics_add_tensor_caps (GstCaps * caps, guint classes);
/* Takes all tensors out of what @caps, which are writable, ask for: whoever asks for them takes buffers without. */
void rvm_analytics_remove_tensor_caps (GstCaps * caps);

G_END_DECLS
