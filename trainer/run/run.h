/* RvmRun: a training run in a folder: takes batches, makes steps, keeps the folder's files up to date.
 *
 *   recipe.ini              every value that decides what is computed
 *   material.jsonl          the files that samples are made of (data/material.h)
 *   start.txt               what the given weights were and began with, if there were any
 *   metrics.jsonl           a line per step; never ahead of the latest checkpoint after a restart
 *   loss.png, reconstruction-STEP.png
 *   checkpoint-STEP.safetensors
 *   model.safetensors       the latest weights, for rvmencode
 *   lock                    held while a process trains here
 *   checkpoint-STEP.safetensors.aside  of a later step than the run went on from: damaged, or left behind by --from */
#pragma once

#include "trainer/data/source.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

#define RVM_RUN_LATEST ((gint64) -1)

typedef struct {
  const char *folder;
  const char *device, *cache_dir; /* NULL: as rvm_model_load() */
  GStrv data, photos, sprites;    /* (nullable) files, folders and lists; of a run that goes on: instead of what it lists */
  gint64 from;                    /* go on with the checkpoint of this step; RVM_RUN_LATEST */
  guint64 stop_at;                /* 0, or a step to stop after as if interrupted */
} RvmRunOptions;

typedef enum {
  RVM_RUN_FINISHED,
  RVM_RUN_INTERRUPTED, /* by a signal, or at stop_at: the folder can be resumed */
  RVM_RUN_FAILED,
} RvmRunResult;

/* Makes a folder that can be resumed at step 0: weights from @init (NULL: random; arrays that a file lacks are random too). An existing
 * run in the folder is an error. Returns the run's material, which has been opened for its list. */
RvmSampler *rvm_run_create (const RvmRunOptions *options, const RvmRecipe *recipe, const char *init, GError **error);

/* Trains from the latest good checkpoint of the folder, or that of options->from, to the last step of its recipe. @opened: (transfer
 * full) (nullable) what rvm_run_create() returned. Catches signals (interrupts.h) while it trains; after RVM_RUN_INTERRUPTED
 * rvm_interrupts_get_status() tells of them. When it fails, what was learned before is saved. */
RvmRunResult rvm_run_resume (const RvmRunOptions *options, RvmSampler *opened, GError **error);

G_END_DECLS
