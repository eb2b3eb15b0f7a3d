/* RvmAttentionTraining: trains an attention readout (model/readout/attention_readout.h) from random weights on windows of features that a source
 * draws. What is drawn, and so the weights, depend on the seed alone.
 *
 *   training = rvm_attention_training_new (&options, &info, &error);
 *   rvm_attention_training_run (training, &source, progress, &error)
 *   rvm_readout_step_forward (rvm_attention_training_get_step (training), &batch, ...)
 *   arrays = rvm_attention_training_read (training, factor, &error) */
#pragma once

#include "readout_file.h"
#include "trainer/run/progress.h"
#include "trainer/step/readout_step.h"

G_BEGIN_DECLS

/* Where the batches of a training step come from. */
typedef struct {
  /* Draws the windows of a step. Returns how many batches they are: windows of a batch have the same number of states. Their losses are added. */
  guint (*draw) (gpointer user_data, GRand *rand);
  void (*get) (gpointer user_data, guint batch, RvmReadoutBatch *out);
  gpointer user_data;
} RvmWindowSource;

/* For sources. The next of @items, of which there are @n, each once before any comes again: @at of them have been drawn, @n at first. */
guint rvm_training_draw_item (GRand *rand, guint *items, guint n, guint *at);
/* The ages of the states of a window that are taken, of @most that there are, the oldest first: now and then the window is shorter, and one state in six is
 * missing, but not the newest if @newest is TRUE. @ages: at most @most. Returns how many, one of a few numbers. */
guint rvm_training_draw_ages (GRand *rand, guint most, gboolean newest, guint32 *ages);

enum { RVM_TRAINING_STATES = 64 }; /* most states of a window */

/* A window of a step. */
typedef struct {
  guint item, phase;                /* what it is of: the source's */
  guint n;
  guint32 age[RVM_TRAINING_STATES]; /* of the states that are taken, the oldest first */
} RvmDrawnWindow;

/* Sorts @n_windows windows by their number of states, and by item, so that there are few batches. @start (n_windows + 1): the first window of each batch,
 * and behind the last. Returns how many batches. */
guint rvm_training_make_batches (RvmDrawnWindow *windows, guint n_windows, guint *start);

/* Says in the midst of a training, after @steps steps, whether it shall end there. */
typedef struct {
  gboolean (*judge) (gpointer user_data, guint64 steps, gboolean *end, GError **error);
  gpointer user_data;
} RvmTrainingJudge;

typedef struct {
  RvmDevice *device;
  guint dim;                  /* channels of a token */
  guint code;                 /* width of the positional encoding; 0: one learned query */
  guint outputs;              /* of each query */
  guint width, mlp;           /* of the readout; its heads have 64 channels or fewer */
  RvmReadoutBatchShape shape; /* the largest batch */
  guint64 steps, seed;
  guint64 end;                /* steps after which it ends, whatever the rate is by then; 0: all of them */
  const RvmTrainingJudge *judge; /* (nullable): called after each step */
  double rate;                /* the largest: it rises over the first twentieth of the steps, and falls to 0 as a cosine does */
  double decay;               /* of kernels */
} RvmAttentionOptions;

typedef struct _RvmAttentionTraining RvmAttentionTraining;

guint rvm_attention_training_count_heads (guint width);

/* RVM_ERROR_FILE (no place for a temporary file), _ARGUMENT, _MEMORY, _DEVICE. @info: as in the file; it is copied. */
RvmAttentionTraining *rvm_attention_training_new (const RvmAttentionOptions *options, const RvmReadoutInfo *info, GError **error);
void rvm_attention_training_free (RvmAttentionTraining *training);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmAttentionTraining, rvm_attention_training_free)

/* How far several trainings, one after the other, are. */
typedef struct {
  RvmProgress *progress;
  guint64 done;      /* steps of the trainings before */
  const char *what;
} RvmTrainingProgress;

/* @progress: updated. Interrupts, which the caller has caught, end it with RVM_ERROR_FILE. */
gboolean rvm_attention_training_run (RvmAttentionTraining *training, const RvmWindowSource *source, RvmTrainingProgress *progress, GError **error);

/* (transfer none) */
RvmReadoutStep *rvm_attention_training_get_step (RvmAttentionTraining *training);
/* (transfer full) (element-type RvmReadoutArray): the weights, with the logits multiplied by @factor. */
GPtrArray *rvm_attention_training_read (RvmAttentionTraining *training, double factor, GError **error);

G_END_DECLS
