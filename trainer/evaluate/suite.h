/* The fixed suite by which models and settings are chosen: what features are good for, never the loss alone. Nothing in it can be set, so that numbers
 * can be compared. Each part measures every model and, in the same run, answers that need no learning.
 *
 *   tracking        J&F on every third sequence of DAVIS by name, first 50 frames, 208 x 112, features standardised
 *   reconstruction  loss of the decoder on the same sequences with the last source frame clear, with 60 % of its patches grey, and all grey: from that
 *                   frame alone, and after three clear frames
 *   occlusion       the middle of a still picture is covered for 4 and 16 frames: share of the covered cells whose features, in a shifted picture,
 *                   are nearest to those of the right cell or one beside it
 *   actions         accuracy over clips of scenes 1 to 3 (VERB/sceneN_NN.mp4), one scene left out at a time, fixed ridge regression on 9 states,
 *                   pooled to 4 x 4 regions, less the first, of 17 frames at even distances in time
 *   retrieval       share of videos whose second half finds their first half among those of all videos
 *   cost            milliseconds of a frame of 256 x 256
 *
 * A part whose folder is not given, or that a model cannot do, is left out, and the results say so. */
#pragma once

#include "model/model.h"
#include "results.h"

G_BEGIN_DECLS

typedef struct {
  RvmModel *model;  /* (transfer none) */
  const char *name; /* in the results */
  const char *path; /* (nullable) its weight file, which the decoder is read from */
} RvmSuiteModel;

typedef struct {
  const RvmSuiteModel *models;
  guint n_models;
  RvmModelOptions options;             /* for loading the decoder */
  const char *davis, *actions, *clips; /* (nullable) folders */
  void (*progress) (const char *text, gpointer user_data); /* (nullable) called from time to time */
  gpointer user_data;
} RvmSuite;

/* (transfer full): the results. Errors name the folder or file and what was expected in it. */
RvmResults *rvm_suite_run (const RvmSuite *suite, GError **error);

G_END_DECLS
