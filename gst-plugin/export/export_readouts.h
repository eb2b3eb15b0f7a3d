/* What rvmexport writes of readouts besides lines: events as CSV, and maps as pictures. Belongs to the streaming thread. */
#pragma once

#include "meta/gstrvmreadout.h"

G_BEGIN_DECLS

/* A file with a line for each event that has ended: readout, class, start and end in seconds, confidence. The first line has the names of the columns. */
typedef struct _RvmEventsWriter RvmEventsWriter;

RvmEventsWriter *rvm_events_writer_new (const gchar * path, GError ** error);
/* Looks at the answers of all readouts on @buffer, and writes the events that have ended. */
gboolean rvm_events_writer_see (RvmEventsWriter * writer, GstBuffer * buffer, GError ** error);
/* Writes the events that go on, which end with the last frame, and closes the file. To be freed afterwards all the same. */
gboolean rvm_events_writer_close (RvmEventsWriter * writer, GError ** error);
void rvm_events_writer_free (RvmEventsWriter * writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmEventsWriter, rvm_events_writer_free)

/* (nullable) The map on @buffer of the readout @name; NULL or empty: of the nearest one upstream that has a map. */
const GstRvmReadoutMeta *rvm_export_find_map (GstBuffer * buffer, const gchar * name);
/* Depths as grey PNG of 16 bits: thousandths of the unit, so millimetres for metres, at least 1 and at most 65535. Labels as indexed PNG: the number of
 * the likeliest label, from 0. */
gboolean rvm_export_write_map (const gchar * path, const GstRvmReadoutMeta * map, GError ** error);

G_END_DECLS
