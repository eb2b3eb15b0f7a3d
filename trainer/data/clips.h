/* RvmClips: the videos that can be trained on, and single frames of them by number. Decoded stretches of frames stay in memory up to a
 * limit. One thread at a time. */
#pragma once

#include "material.h"
#include "video_index.h"

G_BEGIN_DECLS

typedef struct _RvmClips RvmClips;

typedef struct {
  guint short_side;       /* frames are kept with at most this shorter side */
  guint least_frames;     /* a shorter video is of no use */
  guint64 memory;         /* bytes of decoded frames kept */
  const char *cache_dir;  /* (nullable) */
} RvmClipsOptions;

/* The clips of @material, which outlives the result and is told how many frames they have. A file that cannot be used is told in one
 * line on standard error and skipped, or, if it is settled, an error; none that can is RVM_ERROR_FILE. Reads every video once, unless
 * it did so before: progress is told. */
RvmClips *rvm_clips_new (RvmMaterial *material, const RvmClipsOptions *options, GError **error);
void rvm_clips_free (RvmClips *clips);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmClips, rvm_clips_free)

guint rvm_clips_get_n (const RvmClips *clips);
const RvmVideoIndex *rvm_clips_get_index (const RvmClips *clips, guint clip);
const char *rvm_clips_get_path (const RvmClips *clips, guint clip);
#define RVM_CLIPS_ALL ((gint) -1)

/* @argument: of the clips that this argument of the command line led to (RvmMaterialFile.argument), or RVM_CLIPS_ALL. */
guint64 rvm_clips_get_n_frames (const RvmClips *clips, gint argument);
/* The clip and its frame that are number @number of all those frames. */
guint rvm_clips_locate (const RvmClips *clips, gint argument, guint64 number, guint *frame);

/* (transfer full): (height, width, 3) RGB bytes. A file that has to be read again and is not what it was is an error that names it. */
GBytes *rvm_clips_get_frame (RvmClips *clips, guint clip, guint frame, GError **error);

G_END_DECLS
