/* RvmStream: the recurrent state of one video, and its scratch memory. Owned by one user, used by one thread at a time, never shared.
 *
 * The features of a frame are the state after it: float32 (1 + rows * columns, dim). Row 0 is the class token, then come the patches in row-major
 * order (docs/model.md, section 3). */
#pragma once

#include <glib.h>

#include "kernels/runtime/queue.h"
#include "model.h"
#include "state.h"

G_BEGIN_DECLS

typedef struct _RvmStream RvmStream;

typedef enum {
  RVM_STREAM_DEFAULT = 0,
  RVM_STREAM_PROFILE = 1 << 0, /* measure every kernel */
  RVM_STREAM_KEEP = 1 << 1,    /* keep every layer's activations, for rvm_stream_read_activation() */
} RvmStreamFlags;

/* @width, @height: pixels of the analysed picture, multiples of the patch size. RVM_ERROR_ARGUMENT, RVM_ERROR_MEMORY. The state
 * starts as zeros. Keeps a reference to @model. */
RvmStream *rvm_stream_new (RvmModel *model, guint width, guint height, RvmStreamFlags flags, GError **error);
void rvm_stream_free (RvmStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmStream, rvm_stream_free)

RvmModel *rvm_stream_get_model (RvmStream *stream);
RvmQueue *rvm_stream_get_queue (RvmStream *stream); /* for profile and launch counts */
guint rvm_stream_get_rows (const RvmStream *stream);
guint rvm_stream_get_columns (const RvmStream *stream);
guint rvm_stream_get_tokens (const RvmStream *stream); /* 1 + rows * columns */
guint rvm_stream_get_dim (const RvmStream *stream);

guint64 rvm_stream_get_bytes (const RvmStream *stream); /* device memory of the state and scratch, without the model's weights */

/* The state becomes zeros before the next frame. */
void rvm_stream_reset (RvmStream *stream);
/* The stream continues from @state, whose values must have its shape (RVM_ERROR_MODEL). The caller checks whether the state comes from the same
 * weights: rvm_state_fits(). The same frames then give the same bytes as if the stream had not been interrupted. */
gboolean rvm_stream_set_state (RvmStream *stream, const RvmState *state, GError **error);

/* What the frame did to the state. */
typedef struct {
  float state_norm;  /* L2 norm over all tokens */
  float update_mean; /* mean of the update gate, 0..1 */
} RvmStreamHealth;

/**
 * rvm_stream_push:
 * @pixels: RGB, 3 bytes a pixel, @stride bytes a row
 * @passes: how often the core updates the state with this frame, >= 1; the encoder runs once
 * @features: room for tokens * dim floats
 * @health: (nullable) (out)
 *
 * Runs one frame and waits for it. On error the state is reset to zeros and @features is undefined. A NaN or infinity in the new
 * state is RVM_ERROR_MODEL.
 */
gboolean rvm_stream_push (RvmStream *stream, const guint8 *pixels, gsize stride, guint passes, float *features, RvmStreamHealth *health,
    GError **error);

/* Updates a state of zeros with the last frame, @passes times, as if the stream had begun with it. Otherwise like rvm_stream_push(). */
gboolean rvm_stream_begin_with_last (RvmStream *stream, guint passes, float *features, RvmStreamHealth *health, GError **error);

/* The encoder's output for the last frame, which depends on no other frame: tokens * dim floats. */
gboolean rvm_stream_read_encoded (RvmStream *stream, float *values, GError **error);
/* The means of both gates over all tokens and channels, for the last frame; 0 to 1. */
gboolean rvm_stream_measure_gates (RvmStream *stream, float *update, float *reset, GError **error);

typedef enum {
  RVM_ACTIVATION_TOKENS,        /* (tokens, dim), row 0 the class token */
  RVM_ACTIVATION_ENCODER_BLOCK, /* (tokens, dim), output of encoder block @layer */
  RVM_ACTIVATION_ENCODED,       /* (tokens, dim) */
  RVM_ACTIVATION_UPDATE_GATE,   /* (tokens, dim) */
  RVM_ACTIVATION_RESET_GATE,    /* (tokens, dim) */
  RVM_ACTIVATION_CORE_BLOCK,    /* (tokens, dim), output of core block @layer */
  RVM_ACTIVATION_CANDIDATE,     /* (tokens, dim) */
} RvmActivation;

/* Copies an activation of the last pass of the last frame into @values (tokens * dim floats). Needs RVM_STREAM_KEEP. */
gboolean rvm_stream_read_activation (RvmStream *stream, RvmActivation which, guint layer, float *values, GError **error);

G_END_DECLS
