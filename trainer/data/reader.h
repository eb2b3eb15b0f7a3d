/* RvmReader: the frames of one video or picture file, decoded by GStreamer, one after the other, as packed pixels of a bounded size.
 * They are what rvmencode would analyse in that size: a phone's rotation is undone and pixels are made square. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmReader RvmReader;

typedef enum {
  RVM_READER_RGB,  /* 3 bytes a pixel */
  RVM_READER_BGRA, /* 4 bytes a pixel, alpha not multiplied in */
} RvmReaderFormat;

/* Takes a file up to its first frame. The shorter side becomes at most @short_side pixels (0: any size); never enlarged. Errors name the
 * file: not a video, no video in it, unreadable. */
RvmReader *rvm_reader_new (const char *path, RvmReaderFormat format, guint short_side, GError **error);
/* The same, with all frames stretched to @width x @height. */
RvmReader *rvm_reader_new_stretched (const char *path, RvmReaderFormat format, guint width, guint height, GError **error);
void rvm_reader_free (RvmReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReader, rvm_reader_free)

guint rvm_reader_get_width (const RvmReader *reader);
guint rvm_reader_get_height (const RvmReader *reader);

/* The next frame: (height, width, 3 or 4) bytes, the reader's until the next call; its time in @pts (nanoseconds). NULL without an error
 * at the end. A video whose frames change shape is an error, unless they are stretched. */
const guint8 *rvm_reader_next (RvmReader *reader, guint64 *pts, GError **error);

/* The next frame will be one at or before @pts, if the file can be entered there; the caller looks at the frames' own times. */
gboolean rvm_reader_seek (RvmReader *reader, guint64 pts, GError **error);

G_END_DECLS
