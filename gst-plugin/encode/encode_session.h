/* RvmEncodeSession: one video on its way through a model. Holds the recurrent
 * state, the analysis picture, the features found last and where they come from.
 * Belongs to the streaming thread; posts nothing, takes no locks. Errors are RVM_ERROR or GST_STREAM_ERROR. */
#pragma once

#include <gst/video/video.h>

#include "meta/gstrvmmeta.h"
#include "model/state.h"
#include "model/stream.h"
#include "video/view.h"

G_BEGIN_DECLS

typedef struct _RvmEncodeSession RvmEncodeSession;

/* What the user asks for, as of this frame. */
typedef struct
{
  guint size, width, height;    /* of the analysis picture, 0 as for rvmencode */
  guint parts;                  /* GstRvmFeatureParts */
  guint warm_up;                /* extra passes over the first frame */
  gboolean watch_scene;         /* a scene cut resets the state */
  gdouble scene_threshold;      /* similarity below which two frames are of
                                 * different scenes */
  gboolean measure_gates;
  gboolean reuse_still;         /* a still frame is not computed */
  gdouble reuse_threshold;      /* largest change of a block's mean in a still frame, levels */
  guint reuse_longest;          /* still frames in a row */
} RvmEncodeRequest;

/* What became of a frame. */
typedef struct
{
  gboolean still;               /* not computed: the features found last are its own. The rest is then unset */
  RvmStreamHealth health;
  gboolean began;               /* a generation */
  gboolean scene_cut;           /* because of one */
  gdouble similarity;           /* to the frame analysed before, or NaN */
  gboolean gates_measured;
  gfloat update_gate, reset_gate;       /* means, if so */
} RvmEncodeResult;

/* @encoder: the element's name, for the metadata. Begins a source. */
RvmEncodeSession *rvm_encode_session_new (RvmModel * model,
    const gchar * encoder);
void rvm_encode_session_free (RvmEncodeSession * session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmEncodeSession, rvm_encode_session_free)

/* Makes converter and stream fit pictures seen as @view says and the sizes asked
 * for. The state is kept if the analysis size stays the same, and reset otherwise. */
gboolean rvm_encode_session_configure (RvmEncodeSession * session,
    const RvmView * view, const RvmEncodeRequest * request, GError ** error);

/* Other weights from the next frame on. @stream (nullable) (transfer full): one of
 * @model, new or reset, that is taken if it has the session's size; else the
 * next configuration makes one. Returns whether the state goes on, which needs
 * @keep_state and such a stream of the state's shape; else it is reset. */
gboolean rvm_encode_session_change_model (RvmEncodeSession * session,
    RvmModel * model, RvmStream * stream, gboolean keep_state);

/* The frames that follow are of another stream: a new source of features, whose
 * first frame is analysed. The state goes on if nothing resets it. */
void rvm_encode_session_begin_stream (RvmEncodeSession * session,
    const gchar * stream_id);

/* Resets the state with the next frame that is analysed. */
void rvm_encode_session_reset (RvmEncodeSession * session);
/* The next frame that is analysed goes on from @state; after configuration, for
 * whose model and size it must be (RVM_ERROR_MODEL, then nothing changes).
 * @same_stream: its time is of this stream, so the next frame has a distance
 * from it. */
gboolean rvm_encode_session_restore (RvmEncodeSession * session,
    const RvmState * state, const gchar * what, gboolean same_stream,
    GError ** error);
/* (transfer none) (nullable): the state after the frame analysed last, since
 * the last reset. */
RvmState *rvm_encode_session_get_state (const RvmEncodeSession * session);
RvmModel *rvm_encode_session_get_model (const RvmEncodeSession * session);
/* Device memory of the state and its scratch. */
guint64 rvm_encode_session_get_bytes (const RvmEncodeSession * session);
/* Of the analysis picture, 0 before the first configuration. */
void rvm_encode_session_get_size (const RvmEncodeSession * session,
    guint * width, guint * height);

/* Folds the picture of @buffer into the state and keeps its features; or leaves both as they are if the request wants that of a still frame,
 * and this is one. */
gboolean rvm_encode_session_analyse (RvmEncodeSession * session,
    GstBuffer * buffer, const RvmEncodeRequest * request,
    RvmEncodeResult * result, GError ** error);

/* Whether there are features since the last reset and of the present stream. */
gboolean rvm_encode_session_has_features (const RvmEncodeSession * session);
/* Attaches them, if any part is asked for; @carried: @buffer's own picture was
 * not analysed. The counts are of the stream so far, for the metadata. */
void rvm_encode_session_attach (const RvmEncodeSession * session,
    GstBuffer * buffer, gboolean carried, guint64 carried_count,
    guint64 dropped_count);

/* Where the state comes from, as the metadata has it: generation is 0 before the
 * first frame, update and frames_since_reset are those of the frame analysed last. */
const GstRvmFeatureMeta *rvm_encode_session_get_origin (const RvmEncodeSession *
    session);

G_END_DECLS
