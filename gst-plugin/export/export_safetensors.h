/* RvmSafetensorsWriter: features of a stream in one .safetensors file. Frames are appended to LOCATION.part (and class tokens to
 * LOCATION.class.part), which become LOCATION when the writer is closed: the format wants each array in one piece.
 *
 * Arrays, of T frames: "features" F32 (T, rows, columns, D) and "class_tokens" F32 (T, D), each if the features have them; "pts",
 * "update_pts" I64 (T), nanoseconds, -1 where unknown; "generation", "frames_since_reset", "source", "update" I64 (T); "carried" U8 (T).
 * Metadata: format, and of the first frame model_id, frame_size, analysis_size, encoder, stream_id (at most 128 bytes each). */
#pragma once

#include "meta/gstrvmmeta.h"

G_BEGIN_DECLS

typedef struct _RvmSafetensorsWriter RvmSafetensorsWriter;

RvmSafetensorsWriter *rvm_safetensors_writer_new (const gchar * path, GError ** error);
/* All frames must have the same parts and shape. */
gboolean rvm_safetensors_writer_append (RvmSafetensorsWriter * writer, GstClockTime pts, const GstRvmFeatureMeta * meta,
    GError ** error);
/* Completes the file and gives it its name. */
gboolean rvm_safetensors_writer_close (RvmSafetensorsWriter * writer, GError ** error);
/* Removes what is not complete. */
void rvm_safetensors_writer_free (RvmSafetensorsWriter * writer);

G_END_DECLS
