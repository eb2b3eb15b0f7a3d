/* RvmReadoutSession: a readout file on a device, its stream, and the events in its answers. Knows metas but no elements. Belongs to the streaming
 * thread. */
#pragma once

#include "kernels/runtime/device.h"
#include "meta/gstrvmreadout.h"
#include "model/readout/readout.h"
#include "readout_events.h"

G_BEGIN_DECLS

typedef struct _RvmReadoutSession RvmReadoutSession;

/* Loads @path, with weights of @precision. Errors name it. Keeps a reference to @device. */
RvmReadoutSession *rvm_readout_session_new (const gchar * path, RvmDevice * device, RvmElement precision, GError ** error);
void rvm_readout_session_free (RvmReadoutSession * session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmReadoutSession, rvm_readout_session_free)

const RvmReadoutInfo *rvm_readout_session_get_info (const RvmReadoutSession * session);
GstRvmReadoutKind rvm_readout_session_get_kind (const RvmReadoutSession * session);

/* Whether the features of @meta can be read: of the readout's model, unless @force, and with all parts. RVM_ERROR_MODEL or _ARGUMENT. */
gboolean rvm_readout_session_check (const RvmReadoutSession * session, const GstRvmFeatureMeta * meta, gboolean force, GError ** error);
/* (transfer full) (nullable): what the user should know of @meta, which can be read: that the shorter side of the analysed picture or the frame rate is another one than in training.
 * Each is told once. */
gchar *rvm_readout_session_warn (RvmReadoutSession * session, const GstRvmFeatureMeta * meta);

/* What comes next does not go on from what was there: the window is emptied, the event ends, added to @events. */
void rvm_readout_session_reset (RvmReadoutSession * session, GArray * events);
/* The features of an analysed frame; @settings NULL: no events. */
gboolean rvm_readout_session_push (RvmReadoutSession * session, const GstRvmFeatureMeta * meta, const RvmEventSettings * settings,
    GArray * events, GError ** error);
/* (transfer none) (nullable) Attaches the newest answer, if there is one, and returns it. @name: of the element. */
const GstRvmReadoutMeta *rvm_readout_session_attach (RvmReadoutSession * session, GstBuffer * buffer, const gchar * name);

G_END_DECLS
