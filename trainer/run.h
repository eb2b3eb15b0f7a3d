/* RvmRun: a training run in a folder: takes batches, makes steps, keeps the folder's files up to date.
 *
 *   recipe.ini              every value that decides what is computed
 *   data.ini                where the samples come from
 *   start.txt               what the given weights were and began with, if there were any
 *   metrics.jsonl           a line per step; never ahead of the latest checkpoint after a restart
 *   loss.png, reconstruction-STEP.png
 *   checkpoint-STEP.safetensors
 *   model.safetensors       the latest weights, for rvmencode
 *   lock                    held while a process trains here */
#pragma once

#include "data/source.h"
#include "recipe.h"

G_BEGIN_DECLS

typedef struct {
  const char *folder;
  const char *device, *cache_dir; /* NULL: as rvm_model_load() */
  GStrv data, photos, sprites;    /* (nullable) files, folders and lists */
  guint64 stop_at;                /* 0, or a step to stop after as if interrupted */
} RvmRunOptions;

typedef enum {
  RVM_RUN_FINISHED,
  RVM_RUN_INTERRUPTED, /* by a signal, or at stop_at: the folder can be resumed */
  RVM_RUN_FAILED,
} RvmRunResult;

/* Makes a folder that can be resumed at step 0: weights from @init (NULL: random; arrays that a file lacks are random too). An existing
 * run in the folder is an error. */
gboolean rvm_run_create (const RvmRunOptions *options, const RvmRecipe *recipe, const char *init, GError **error);

/* Trains from the latest good checkpoint of the folder to the last step of its recipe. Installs handlers for SIGINT and SIGTERM while it
 * runs. */
RvmRunResult rvm_run_resume (const RvmRunOptions *options, GError **error);

G_END_DECLS
