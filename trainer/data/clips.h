/* RvmClips: the videos that can be used for training, and random access to their frames. Decoded frames are kept in memory up to a limit. Not
 * thread-safe. */
#pragma once

#include "material.h"
#include "video_index.h"

G_BEGIN_DECLS

typedef struct _RvmClips RvmClips;

typedef struct {
  guint short_side;       /* frames are kept with at most this shorter side */
  guint least_frames;     /* shorter videos are skipped */
  guint64 memory;         /* bytes of decoded frames kept */
  const char *cache_dir;  /* (nullable) */
} RvmClipsOptions;

/* Opens the clips of @material, which must outlive the result, and stores in it how many frames they have. Every video that is not in the cache is
 * read once; progress goes to standard error. A file that cannot be used is skipped with a line on standard error, or is an error if it is settled.
 * RVM_ERROR_FILE if no file can be used. */
RvmClips *rvm_clips_new (RvmMaterial *material, const RvmClipsOptions *options, GError **error);
void rvm_clips_free (RvmClips *clips);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmClips, rvm_clips_free)

guint rvm_clips_get_n (const RvmClips *clips);
const RvmVideoIndex *rvm_clips_get_index (const RvmClips *clips, guint clip);
const char *rvm_clips_get_path (const RvmClips *clips, guint clip);
#define RVM_CLIPS_ALL ((gint) -1)

/* Frames of the clips that came from argument @argument of the command line (RvmMaterialFile.argument), or of all: RVM_CLIPS_ALL. */
guint64 rvm_clips_get_n_frames (const RvmClips *clips, gint argument);
/* The clip, and in @frame its frame, that is number @number of those frames. */
guint rvm_clips_locate (const RvmClips *clips, gint argument, guint64 number, guint *frame);

/* (transfer full): (height, width, 3) RGB bytes. If the file has to be read again and has changed, that is an error that names it. */
GBytes *rvm_clips_get_frame (RvmClips *clips, guint clip, guint frame, GError **error);

G_END_DECLS
