/* RvmClassWindows: windows of pooled states of clips, as an attention readout of classes is trained and measured on them. Training windows differ each
 * time: in phase, in size, in the states that are missing, in the regions that are hidden, and some are mixtures of two clips. */
#pragma once

#include "attention_training.h"
#include "labelled.h"
#include "sequences.h"

G_BEGIN_DECLS

typedef struct {
  const RvmLabelled *labelled;
  GPtrArray *sequences;  /* (element-type RvmSequence) of all clips */
  const gboolean *used;  /* (clips): those to draw from */
  guint dim;             /* channels */
  guint window, stride, phases;
  guint batch;           /* clips of a step */
} RvmClassWindowsOptions;

typedef struct _RvmClassWindows RvmClassWindows;

/* The cells along a side of the grid that states are pooled to, for an attention readout. */
guint rvm_class_windows_get_cells (const RvmSequence *sequence);

/* What is in @options must outlive the windows. */
RvmClassWindows *rvm_class_windows_new (const RvmClassWindowsOptions *options);
void rvm_class_windows_free (RvmClassWindows *windows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmClassWindows, rvm_class_windows_free)

/* For rvm_attention_training_run(); the windows are its user data. */
RvmWindowSource rvm_class_windows_get_source (RvmClassWindows *windows);
/* All of the window at the end of @sequence, with the frames of the phase number @phase, as a batch of one, valid until the next call. */
void rvm_class_windows_take (RvmClassWindows *windows, const RvmSequence *sequence, guint phase, RvmReadoutBatch *batch);

G_END_DECLS
