/* RvmEncodeSession: one video on its way through a model. Holds the recurrent
 * state, the analysis picture, the features found last and where they come from
 * (plugin.md, "State rules"). Belongs to the streaming thread; posts nothing,
 * takes no locks. Errors are RVM_ERROR or GST_STREAM_ERROR. */
#pragma once

#include <gst/video/video.h>

#include "model/stream.h"

G_BEGIN_DECLS

typedef struct _RvmEncodeSession RvmEncodeSession;

/* What the user asks for, as of this frame. */
typedef struct
{
  guint size, width, height;    /* of the analysis picture, 0 as for rvmencode */
  guint parts;                  /* GstRvmFeatureParts */
  guint warm_up;                /* extra passes over the first frame */
} RvmEncodeRequest;

RvmEncodeSession *rvm_encode_session_new (RvmModel * model);
void rvm_encode_session_free (RvmEncodeSession * session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmEncodeSession, rvm_encode_session_free)

/* Makes converter and stream fit pictures of @info and the sizes asked for. The
 * state survives if the analysis size stays, and starts anew if not. */
gboolean rvm_encode_session_configure (RvmEncodeSession * session,
    const GstVideoInfo * info, const RvmEncodeRequest * request,
    GError ** error);

/* The state starts anew with the next frame that is analysed. */
void rvm_encode_session_reset (RvmEncodeSession * session);

/* Folds the picture of @buffer into the state and keeps its features. */
gboolean rvm_encode_session_analyse (RvmEncodeSession * session,
    GstBuffer * buffer, const RvmEncodeRequest * request,
    RvmStreamHealth * health, GError ** error);

/* Whether there are features since the last reset. */
gboolean rvm_encode_session_has_features (const RvmEncodeSession * session);
/* Attaches them, if any part is asked for; @carried: @buffer's own picture was
 * not analysed. */
void rvm_encode_session_attach (const RvmEncodeSession * session,
    GstBuffer * buffer, gboolean carried);

/* How often the state was started anew, 1 for the first frame of a stream, 0
 * before it. */
guint64 rvm_encode_session_get_generation (const RvmEncodeSession * session);

G_END_DECLS
