/* The frames of a clip, whether it is a video, a part of one, or a folder of pictures. */
#pragma once

#include "labelled.h"

G_BEGIN_DECLS

/* The frames of a clip in its file. */
typedef struct {
  guint first, n; /* the clip's first frame in the file, and how many it has */
  double rate;    /* frames a second; 0: unknown */
} RvmClipFrames;

/* Reads every video once, unless that was done before. Errors name the clip: not a video, no frames between its start and its end. */
RvmClipFrames *rvm_features_count_frames (const RvmLabelled *labelled, const char *cache_dir, GError **error);

/* @number: in the clip, negative before it. @pixels: (height, width, 3), RGB, valid during the call. */
typedef gboolean (*RvmClipFrameFunc) (const guint8 *pixels, gint64 number, gpointer user_data, GError **error);

typedef struct {
  guint width, height; /* that all frames are scaled to */
  guint lead;          /* frames before the clip that are read, too, as far as there are any */
  const char *cache_dir;
} RvmClipReading;

/* Calls @func for all frames, in the order of the file. Interrupts, which the caller has caught, end it early, without an error. */
gboolean rvm_clip_read_frames (const RvmClipReading *reading, const RvmLabelledClip *clip, const RvmClipFrames *frames, RvmClipFrameFunc func,
                               gpointer user_data, GError **error);

/* The names, sizes and times of a clip's files, as text. RVM_ERROR_FILE if one is missing. */
char *rvm_clip_identify (const RvmLabelledClip *clip, GError **error);

G_END_DECLS
