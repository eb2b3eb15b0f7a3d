/* RvmTargets: frames, and for some of them a picture of what is where: labels or depths.
 *
 *   FOLDER/images/NAME.jpg   FOLDER/labels/NAME.png    a picture for each picture; pictures without one only fill the memory
 *   FOLDER/video.mp4         FOLDER/depth/000123.png   for frames of a video, by their number from 0
 *
 * Label pictures are indexed or grey PNG, the index being the class; depths are grey PNG of 16 bits, 0 being unknown. */
#pragma once

#include "clip_frames.h"

G_BEGIN_DECLS

/* What the pictures mean. */
typedef struct {
  gboolean depth;
  guint classes;  /* labels: values from 0 to one less */
  int none;       /* labels: the value that is not a class and does not count; -1: there is no such value */
  double unit;    /* depth: of one step, in metres */
} RvmTargetKind;

typedef struct {
  char *path;
  guint clip, frame; /* in the clip */
} RvmTarget;

typedef struct {
  RvmLabelled *labelled; /* clips without classes: a video, or the pictures of a group in the order of their names */
  GPtrArray *targets;    /* (element-type RvmTarget) by clip and frame */
} RvmTargets;

/* A target as it is in its file. */
typedef struct {
  guint width, height;
  float *values; /* labels: the class, or -1 where it does not count. Depth: metres, or 0 where it is unknown */
} RvmTargetMap;

/* @groups: of pictures, "name" (NULL, too: the name up to the first '_') or "clip" (each by itself): the memory of the model begins at each group.
 * RVM_ERROR_FILE, _FORMAT; errors name the file: a target without its picture, a name that is no number. */
RvmTargets *rvm_targets_read (const char *data, const RvmTargetKind *kind, const char *groups, GError **error);
void rvm_targets_free (RvmTargets *targets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmTargets, rvm_targets_free)

/* Reads all pictures once. The number of classes, of @kind, is set to what is found if it is 0. RVM_ERROR_FORMAT: a frame that is not there, another size
 * than the frame's (labels) or another shape (depth), a value that is no class. */
gboolean rvm_targets_check (const RvmTargets *targets, const RvmClipFrames *frames, RvmTargetKind *kind, GError **error);

RvmTargetMap *rvm_target_load (const RvmTarget *target, const RvmTargetKind *kind, GError **error);
void rvm_target_map_free (RvmTargetMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmTargetMap, rvm_target_map_free)

/* The map by places, as it is trained on. Labels: @target (rows, columns, classes) is how much of each place is of each class, and @weight the share that
 * counts. Depth: @target (rows, columns) is the mean logarithm, or RVM_TARGET_UNKNOWN. */
void rvm_target_map_divide (const RvmTargetMap *map, const RvmTargetKind *kind, guint rows, guint columns, float *target, float *weight);

G_END_DECLS
