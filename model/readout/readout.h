/* RvmReadout: a small network that turns features into answers: which of these classes is it, how far is each place, is this normal.
 *
 * A readout is a file (info.h describes its metadata) that has been loaded onto a device. It is immutable, refcounted and thread-safe. A stream of it
 * sees the states of one video, one after the other:
 *
 *   g_autoptr (RvmReadout) readout = rvm_readout_new_from_file ("gestures.safetensors", device, NULL, &error);
 *   g_autoptr (RvmReadoutStream) stream = rvm_readout_stream_new (readout, rows, columns, &error);
 *
 *   for each analysed frame, with its features as rvm_stream_push() gives them:
 *     if (!rvm_readout_stream_push (stream, features, &answer, &error))
 *       ...
 *     if (answer)
 *       for (guint i = 0; i < answer->channels; i++)
 *         g_print ("%s %.2f\n", rvm_readout_get_info (readout)->classes[i], answer->values[i]);
 *
 * Kinds (a file each; the table is in readout.c):
 *
 *   class     probabilities of classes, from an attention network, or, with few clips, a linear one on pooled states
 *   dense     a map of depths, or of probabilities of labels: from the attention network, asked once for every cell of the grid, or, with few pictures, a
 *             linear one of the patch there and its surroundings
 *   distance  nothing trained: how far the features are from those of normal footage
 *
 * The caller checks that the features are those of the readout's model: rvm_readout_info_check_model(). */
#pragma once

#include "info.h"
#include "kernels/ops/gemm.h"
#include "kernels/runtime/device.h"

G_BEGIN_DECLS

typedef struct _RvmReadout RvmReadout;

/* How a file is loaded; zero-initialise and set what differs. */
typedef struct {
  RvmGemmProvider gemm;
  RvmElement precision; /* of the weights */
} RvmReadoutOptions;

/* @options: (nullable): the defaults. Blocks (file, packing). Errors name @path and what is wrong in it; RVM_ERROR_FILE, _FORMAT, _MODEL, _MEMORY,
 * _DEVICE. Keeps a reference to @device. */
RvmReadout *rvm_readout_new_from_file (const char *path, RvmDevice *device, const RvmReadoutOptions *options, GError **error);
RvmReadout *rvm_readout_ref (RvmReadout *readout);
void rvm_readout_unref (RvmReadout *readout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReadout, rvm_readout_unref)

const RvmReadoutInfo *rvm_readout_get_info (const RvmReadout *readout); /* (transfer none) */
const char *rvm_readout_get_path (const RvmReadout *readout);
guint rvm_readout_get_dim (const RvmReadout *readout);    /* channels of the features that it reads */
guint rvm_readout_get_window (const RvmReadout *readout); /* states that it looks at, at most */
const char *const *rvm_readout_list_kinds (void);         /* (transfer none) NULL-terminated */

/* What a readout says of a window of states. */
typedef struct {
  guint states;          /* of the window that were there to look at: fewer than the window after a reset */
  guint rows, columns;   /* of a map; 1 x 1 for class and distance */
  guint channels;        /* values of each place: one for each class or label, one depth, one distance */
  const float *values;   /* (rows, columns, channels), row-major. class, labels: probabilities, which sum to 1. Depth: in the readout's unit. Distance:
                          * about 1 for normal footage, larger for other */
  const float *logits;   /* class and labels: what the probabilities are the softmax of; otherwise NULL */
} RvmReadoutAnswer;

/* RvmReadoutStream: a readout's window of states of one video. Owned by one user, used by one thread at a time. */
typedef struct _RvmReadoutStream RvmReadoutStream;

/* @rows, @columns: the grid of patches. RVM_ERROR_ARGUMENT, _MEMORY, _DEVICE. Keeps a reference to @readout. */
RvmReadoutStream *rvm_readout_stream_new (RvmReadout *readout, guint rows, guint columns, GError **error);
void rvm_readout_stream_free (RvmReadoutStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReadoutStream, rvm_readout_stream_free)

guint64 rvm_readout_stream_get_bytes (const RvmReadoutStream *stream); /* device memory of the window and scratch */

/**
 * rvm_readout_stream_push:
 * @features: float32 (1 + rows * columns, dim): row 0 the class token, then the patches. What encoder or core made of one analysed frame
 * @answer: (out) (transfer none) (nullable): valid until the next call
 *
 * Adds an analysed frame to the window, and waits for the answer. With a stride of n, only every n-th frame since the last reset, beginning with the
 * first, enters the window; for the others @answer is NULL. On error the stream is reset. Features with a NaN or infinity are RVM_ERROR_MODEL.
 */
gboolean rvm_readout_stream_push (RvmReadoutStream *stream, const float *features, const RvmReadoutAnswer **answer, GError **error);

/* Empties the window: to be called where the video or its recurrent state begins again. */
void rvm_readout_stream_reset (RvmReadoutStream *stream);

G_END_DECLS
