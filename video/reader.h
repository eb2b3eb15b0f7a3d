/* RvmReader: decodes the frames of one video or picture file with GStreamer, in order, to packed pixels of a bounded size. The frames are those that
 * rvmencode would analyse at that size: a phone's rotation is undone, and pixels are made square. */
#pragma once

#include "view.h"

G_BEGIN_DECLS

typedef struct _RvmReader RvmReader;

typedef enum {
  RVM_READER_RGB,  /* 3 bytes a pixel */
  RVM_READER_BGRA, /* 4 bytes a pixel, straight alpha */
} RvmReaderFormat;

/* Opens a file and decodes its first frame. Frames are scaled down, never up, to at most @short_side pixels on the shorter side (0: no limit). Errors
 * name the file and say why it cannot be used. */
RvmReader *rvm_reader_new (const char *path, RvmReaderFormat format, guint short_side, GError **error);
/* The same, with all frames scaled to @width x @height, whatever their shape. */
RvmReader *rvm_reader_new_stretched (const char *path, RvmReaderFormat format, guint width, guint height, GError **error);
/* The same for a file or an address (http://...), with the pictures that rvmencode analyses with that @size (0: the video's own) and a model of that
 * @patch: RGB, with sides of whole patches. */
RvmReader *rvm_reader_new_patches (const char *name, guint patch, guint size, GError **error);
void rvm_reader_free (RvmReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReader, rvm_reader_free)

guint rvm_reader_get_width (const RvmReader *reader);
guint rvm_reader_get_height (const RvmReader *reader);

/* How the latest frame that was converted is seen; the first one right after opening. */
const RvmView *rvm_reader_get_view (const RvmReader *reader);
/* At the end of the file: whether all its streams ended before the duration that it says it has, both in nanoseconds. Then it seems to be cut short. */
gboolean rvm_reader_ended_early (RvmReader *reader, guint64 *end, guint64 *duration);

/* The time of the frame that rvm_reader_next() would give, before it is converted, so that rvm_reader_drop() can leave it out. FALSE without an error at
 * the end of the file. */
gboolean rvm_reader_peek (RvmReader *reader, guint64 *pts, GError **error);
void rvm_reader_drop (RvmReader *reader);

/* The next frame, (height, width, 3 or 4) bytes, owned by the reader and valid until the next call; @pts: its time in nanoseconds. NULL without an
 * error at the end of the file. A video whose frames change shape is an error, unless all are scaled to one size. */
const guint8 *rvm_reader_next (RvmReader *reader, guint64 *pts, GError **error);

/* Seeks, so that the next frame is one at or before @pts, which the caller checks by its time. Fails if the file cannot be seeked in. */
gboolean rvm_reader_seek (RvmReader *reader, guint64 pts, GError **error);

G_END_DECLS
