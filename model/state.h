/* RvmState: the recurrent state of one video at one moment, on the host, and its file. Immutable, refcounted, thread-safe.
 *
 * Values are float32 (1 + rows * columns, dim), like the features of a frame (stream.h), which are the state after it. The file is
 * a .safetensors file with one array, "state", and metadata that bind it to a model, a picture size and a precision. */
#pragma once

#include "model.h"

G_BEGIN_DECLS

#define RVM_STATE_NO_TIME G_MAXUINT64

typedef struct {
  char *model_id;
  char *device; /* name of the device that computed it; only for information */
  RvmElement precision;
  guint width, height; /* of the analysed picture, pixels */
  guint tokens, dim;
  guint64 frames; /* that have updated the state since it was zero */
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

/* Whether a stream of @model with pictures of @width x @height can continue from @state. Both 0: whether a stream of any size can.
 * RVM_ERROR_MODEL, with what differs. @what begins the message. */
gboolean rvm_state_fits (const RvmState *state, const RvmModel *model, guint width, guint height, const char *what, GError **error);
/* Whether the state has that shape, whatever weights computed it. This is what a stream needs when its weights change. */
gboolean rvm_state_has_shape (const RvmState *state, guint tokens, guint dim);

/* (transfer full): a hash of the values, as 16 hexadecimal digits. */
char *rvm_state_get_hash (const RvmState *state);

/* Writes @path, which must end in .safetensors, as a temporary file that is renamed when complete. RVM_ERROR_ARGUMENT, RVM_ERROR_FILE. */
gboolean rvm_state_save (const RvmState *state, const char *path, GError **error);
/* RVM_ERROR_FILE, RVM_ERROR_FORMAT for a file that is not a state or is damaged, RVM_ERROR_MODEL for NaN or infinite values. */
RvmState *rvm_state_open (const char *path, GError **error);

G_END_DECLS
