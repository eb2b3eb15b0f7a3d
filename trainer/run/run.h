/* A training run in a folder: it takes batches, makes steps, and keeps the files of the folder up to date.
 *
 *   recipe.ini              every value that decides what is computed
 *   material.jsonl          the files that samples are made of (data/material.h)
 *   start.txt               where the initial weights come from, if they were given
 *   metrics.jsonl           a line for each step; after a restart, none of a step after the checkpoint
 *   loss.png, reconstruction-STEP.png
 *   checkpoint-STEP.safetensors
 *   model.safetensors       the latest weights, for rvmencode
 *   lock                    held while a process trains here
 *   checkpoint-STEP.safetensors.aside  of a later step than that from which the run was continued */
#pragma once

#include "run_options.h"
#include "trainer/data/sampler.h"

G_BEGIN_DECLS

typedef enum {
  RVM_RUN_FINISHED,
  RVM_RUN_INTERRUPTED, /* by a signal, or at stop_at: the folder can be resumed */
  RVM_RUN_FAILED,
} RvmRunResult;

/* Trains from the latest checkpoint that can be read, or that of options->from, to the last step of the recipe. @opened: (transfer full) (nullable)
 * what rvm_run_create() returned. Catches signals (interrupts.h) meanwhile; after RVM_RUN_INTERRUPTED, rvm_interrupts_get_status() says which. If
 * it fails, the steps before are saved. */
RvmRunResult rvm_run_resume (const RvmRunOptions *options, RvmSampler *opened, GError **error);

G_END_DECLS
