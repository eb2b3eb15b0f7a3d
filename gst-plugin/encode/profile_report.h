/* Where a frame's time goes, by kernel family, for who asks with
 * GST_DEBUG=rvmprofile:5. Belongs to the streaming thread. */
#pragma once

#include <gst/gst.h>

#include "model/stream.h"

G_BEGIN_DECLS

/* For streams that are made: measure, if somebody asks. Measuring keeps launches
 * apart that otherwise are joined, which makes a frame slower. */
RvmStreamFlags rvm_profile_report_get_flags (void);
/* After each analysed frame; @last: there will be no more of @stream. Writes a
 * line per family every 25 frames, and at the end. */
void rvm_profile_report_frame (RvmStream * stream, gboolean last);

G_END_DECLS
