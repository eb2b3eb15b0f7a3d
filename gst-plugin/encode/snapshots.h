/* RvmSnapshots: states of places already seen, by presentation time, so that a
 * seek back finds a memory. Bounded: the oldest one kept makes room for a new
 * one. The values are shared with the features, not copied. Not thread-safe:
 * the streaming thread's. */
#pragma once

#include <gst/gst.h>

#include "model/state.h"

G_BEGIN_DECLS

typedef struct _RvmSnapshots RvmSnapshots;

RvmSnapshots *rvm_snapshots_new (void);
void rvm_snapshots_free (RvmSnapshots * snapshots);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSnapshots, rvm_snapshots_free)

/* Keeps a reference to @state, of a known time, unless one nearer to it than
 * @interval is of the same @generation, or of another one and has seen at least
 * as many frames; those that have seen fewer go. At most @count stay. */
void rvm_snapshots_add (RvmSnapshots * snapshots, RvmState * state,
    guint64 generation, GstClockTime interval, guint count);

/* (transfer none) (nullable): the latest one of before @time that a stream of
 * @model with pictures of @width x @height can go on from. */
RvmState *rvm_snapshots_find (const RvmSnapshots * snapshots,
    GstClockTime time, const RvmModel * model, guint width, guint height);

void rvm_snapshots_clear (RvmSnapshots * snapshots);
guint rvm_snapshots_get_count (const RvmSnapshots * snapshots);
guint64 rvm_snapshots_get_bytes (const RvmSnapshots * snapshots);

G_END_DECLS
