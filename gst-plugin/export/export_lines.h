/* A frame as text: a line of JSON (rvmexport.schema.json says what is in it), or lines of CSV in the layout of MOTChallenge. Numbers read back
 * as what they were. */
#pragma once

#include "meta/gstrvmtrackmeta.h"

G_BEGIN_DECLS

/* (transfer full): a line, newline included. Features and tracks may be NULL. */
gchar *rvm_export_format_json (guint64 index, GstBuffer * buffer,
    const GstRvmFeatureMeta * features, const GstRvmTrackMeta * tracks);

/* (transfer full): a line for each visible track, "frame,id,left,top,width,height,confidence,-1,-1,-1". As MOTChallenge has it, frames,
 * left and top count from 1. Points have no width and height; of masks it is the box around them. */
gchar *rvm_export_format_mot (guint64 index, const GstRvmTrackMeta * tracks);

G_END_DECLS
