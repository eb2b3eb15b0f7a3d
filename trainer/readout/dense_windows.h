/* RvmDenseWindows: windows of states that end at frames with a target, as a dense readout is trained and measured on them. */
#pragma once

#include "attention_training.h"
#include "features.h"
#include "targets.h"

G_BEGIN_DECLS

typedef struct {
  const RvmTargets *targets;
  const RvmTargetKind *kind;
  GPtrArray *features;     /* (element-type RvmClipFeatures) of all clips, every frame; of those that are not `encoder`, the others may be NULL */
  gboolean encoder;
  const gboolean *used;    /* (targets) (nullable): those to draw from */
  guint window, stride;
  guint rows, columns;     /* of the grid of patches */
  guint block;             /* places along a side of a patch */
  guint batch;             /* windows of a step */
} RvmDenseWindowsOptions;

typedef struct _RvmDenseWindows RvmDenseWindows;

/* Reads the targets. What is in @options must outlive the windows. */
RvmDenseWindows *rvm_dense_windows_new (const RvmDenseWindowsOptions *options, GError **error);
void rvm_dense_windows_free (RvmDenseWindows *windows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDenseWindows, rvm_dense_windows_free)

/* From now on, of other features of the same shape, and of other targets to draw from; as in RvmDenseWindowsOptions. */
void rvm_dense_windows_use (RvmDenseWindows *windows, GPtrArray *features, gboolean encoder, const gboolean *used);

RvmWindowSource rvm_dense_windows_get_source (RvmDenseWindows *windows);
/* The window of target number @target as a batch of one, valid until the next call. */
void rvm_dense_windows_take (RvmDenseWindows *windows, guint target, RvmReadoutBatch *batch);

/* The mean of what the used targets are, by places (rows * block, columns * block, channels), and in all (channels): shares of classes, or logarithms. */
void rvm_dense_windows_average (const RvmDenseWindows *windows, float *map, float *constant);
/* The features of the newest state of a target, (1 + rows * columns, dim). */
const float *rvm_dense_windows_get_state (const RvmDenseWindows *windows, guint target);
/* What the target is by places, (rows * block, columns * block, channels), and @weight how much of each place counts. */
const float *rvm_dense_windows_get_map (const RvmDenseWindows *windows, guint target, const float **weight);

G_END_DECLS
