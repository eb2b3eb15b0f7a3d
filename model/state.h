/* RvmState: the recurrent state of one video at one moment, on the host, and its file. Immutable, refcounted, thread-safe.
 *
 * Values are float32 (1 + rows * columns, dim), as the features of a frame (stream.h): the state after a frame is its features. The file is
 * a .safetensors file with one array, "state", and metadata that bind it to a model, a picture size and a precision. */
#pragma once

#include "model.h"

G_BEGIN_DECLS

#define RVM_STATE_NO_TIME G_MAXUINT64

typedef struct {
  char *model_id;
  char *device; /* where it was made; for the reader's information */
  RvmElement precision;
  guint width, height; /* of the analysed picture, pixels */
  guint tokens, dim;
  guint64 frames; /* folded into the state since it was zero */
  guint64 time;   /* of the last of them, nanoseconds; or RVM_STATE_NO_TIME */
  GBytes *values; /* tokens * dim floats */
  gatomicrefcount refs; /* private */
} RvmState;

/* The state of a stream of @model that analyses pictures of @width x @height pixels. Keeps a reference to @values, which must have the
 * size of its features. */
RvmState *rvm_state_new (const RvmModel *model, guint width, guint height, GBytes *values, guint64 frames, guint64 time);
RvmState *rvm_state_ref (RvmState *state);
void rvm_state_unref (RvmState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmState, rvm_state_unref)

/* Whether a stream of @model with pictures of @width x @height can go on from @state; both 0: whether one of some size can.
 * RVM_ERROR_MODEL, with what differs. @what begins the message. */
gboolean rvm_state_fits (const RvmState *state, const RvmModel *model, guint width, guint height, const char *what, GError **error);
/* Whether the numbers fit, whatever the weights: what a change of weights in a running stream asks. */
gboolean rvm_state_has_shape (const RvmState *state, guint tokens, guint dim);

/* 16 hexadecimal digits over the values. */
char *rvm_state_get_hash (const RvmState *state);

/* Writes @path, which must end in .safetensors, as a temporary file that is renamed when complete. RVM_ERROR_ARGUMENT, RVM_ERROR_FILE. */
gboolean rvm_state_save (const RvmState *state, const char *path, GError **error);
/* RVM_ERROR_FILE, RVM_ERROR_FORMAT for a file that is no state or is damaged, RVM_ERROR_MODEL for NaN or infinite values. */
RvmState *rvm_state_open (const char *path, GError **error);

G_END_DECLS
