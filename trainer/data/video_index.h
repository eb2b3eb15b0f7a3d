/* RvmVideoIndex: what is known of a video after reading it once: the times of its frames, where shots begin, and how much moves. It is kept in the
 * user's cache directory for as long as the file's size and date stay the same. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint width, height; /* of the frames as decoded, see rvm_reader_new() */
  guint n_frames;
  guint64 *pts;        /* (n_frames) nanoseconds */
  guint8 *motion;      /* (n_frames) share of the picture that differs from the frame before, 0..255; 0 for the first */
  guint8 *cut;         /* (n_frames) 1: a shot begins */
} RvmVideoIndex;

/* Called with every decoded frame, (height, width, 3), if the video has to be read. */
typedef void (*RvmVideoSeen) (guint frame, const guint8 *pixels, const RvmVideoIndex *index, gpointer user_data);

/* From the cache, or by reading the video. @cache_dir: NULL for the user's, "" for none; it need not be writable. @seen: (nullable). */
RvmVideoIndex *rvm_video_index_new (const char *path, guint short_side, const char *cache_dir, RvmVideoSeen seen, gpointer user_data,
    GError **error);
void rvm_video_index_free (RvmVideoIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmVideoIndex, rvm_video_index_free)

G_END_DECLS
