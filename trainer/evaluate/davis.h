/* Sequences of DAVIS with their masks, as published (JPEGImages/480p, Annotations/480p) or compact (video/SEQ.mp4, masks/SEQ/NNNNN.png). Masks
 * are PNG, indexed or grey, of at most 8 bits; others are an error that names the file. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *name;
  char *video;      /* (nullable) one file with all frames */
  GPtrArray *pictures; /* (element-type filename) (nullable) otherwise: one file for each frame */
  GPtrArray *masks; /* (element-type filename) one for each frame */
} RvmDavisSequence;

/* (element-type RvmDavisSequence) (transfer full), by name. RVM_ERROR_FILE, naming the folders that were looked for. */
GPtrArray *rvm_davis_list (const char *folder, GError **error);

/* The frames of a sequence, one after the other. */
typedef struct _RvmDavisReader RvmDavisReader;

/* Pictures are resized to @width x @height. */
RvmDavisReader *rvm_davis_reader_new (const RvmDavisSequence *sequence, guint width, guint height, GError **error);
void rvm_davis_reader_free (RvmDavisReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDavisReader, rvm_davis_reader_free)

typedef struct {
  const guint8 *pixels;          /* RGB (height, width, 3) of the size asked for */
  const guint8 *mask;            /* (mask_height, mask_width): 0 background, 1 + n the n-th object of the first mask, by its number there */
  guint mask_width, mask_height; /* as published */
  guint objects;                 /* of the first mask */
} RvmDavisFrame;

/* The next frame, valid until the next call; FALSE without an error at the end. */
gboolean rvm_davis_reader_next (RvmDavisReader *reader, RvmDavisFrame *frame, GError **error);

G_END_DECLS
