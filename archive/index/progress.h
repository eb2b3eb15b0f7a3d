/* RvmIndexProgress: how far an indexing is, on standard error: one line that is written over on a terminal, and otherwise a line from time to time. */
#pragma once

#include "index.h"

G_BEGIN_DECLS

typedef struct _RvmIndexProgress RvmIndexProgress;

RvmIndexProgress *rvm_index_progress_new (void);
void rvm_index_progress_free (RvmIndexProgress *progress); /* ends the line */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmIndexProgress, rvm_index_progress_free)

/* An RvmIndexShow. */
void rvm_index_progress_show (const RvmIndexState *state, const char *news, gpointer progress);

/* (transfer full): "3 of 8 files, 0.12 h of video, 4.5 times real time, 2:10 left". */
char *rvm_index_progress_format (const RvmIndexState *state);

G_END_DECLS
