/* What the parts of the suite that read whole videos share: a video's frames, and what a model's pooled features are over them. */
#pragma once

#include "model/stream.h"
#include "suite_private.h"

G_BEGIN_DECLS

typedef struct {
  char *path, *label; /* @label: (nullable) */
  guint group;
} RvmSuiteClip;

void rvm_suite_clip_clear (gpointer clip);

/* (transfer full): the first @most frames, (frames, height, width, 3); at least @least, or that is an error that names the file. */
GByteArray *rvm_suite_read_clip (const char *path, guint width, guint height, guint least, guint most, guint *n_frames, GError **error);
/* Runs @n frames through a stream that begins with them. @core, @encoder: (n, regions, regions, dim), the means over the patches in each of the regions
 * that the frame is divided into, of the state after each frame and of the encoder's output. */
gboolean rvm_suite_pool (RvmStream *stream, const guint8 *const *frames, guint n, guint regions, float *core, float *encoder, GError **error);

G_END_DECLS
