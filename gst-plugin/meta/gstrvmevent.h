/* GStreamer events of Recurrent Video Masked Autoencoders, which an application or an element sends to rvmencode through a pipeline.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gstrvmmeta.h"

G_BEGIN_DECLS

/**
 * gst_rvm_event_new_reset_state:
 * @upstream: whether the event travels upstream, towards the source, rather than downstream with the frames
 * @pts: presentation time of the first frame of the new state, or %GST_CLOCK_TIME_NONE for the next frame
 *
 * Creates an event that resets the state of every rvmencode it reaches. Downstream, it is serialized with the frames: pushed between two
 * frames by an element, or sent to a pipeline or a source by an application, it takes effect between the same two. Upstream (sent to a sink,
 * or by an element after rvmencode), and when sent to rvmencode itself, it is not serialized, and @pts says which frame is meant: the state
 * is reset with the first one that is not earlier.
 *
 * Returns: (transfer full): a custom event.
 *
 * Since: 0.1
 */
GST_RVM_API GstEvent *gst_rvm_event_new_reset_state (gboolean upstream, GstClockTime pts);

/**
 * gst_rvm_event_parse_reset_state:
 * @event: an event
 * @pts: (out) (optional): presentation time of the first frame of the new state, or %GST_CLOCK_TIME_NONE
 *
 * Returns: whether @event was created by gst_rvm_event_new_reset_state().
 *
 * Since: 0.1
 */
GST_RVM_API gboolean gst_rvm_event_parse_reset_state (GstEvent *event, GstClockTime *pts);

G_END_DECLS
