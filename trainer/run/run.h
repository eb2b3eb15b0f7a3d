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

#include "run_options.h"
#include "trainer/data/sampler.h"

G_BEGIN_DECLS

typedef enum {
  RVM_RUN_FINISHED,
  RVM_RUN_INTERRUPTED, /* by a signal, or at stop_at: the folder can be resumed */
  RVM_RUN_FAILED,
} RvmRunResult;

/* Trains from the latest good checkpoint of the folder, or that of options->from, to the last step of its recipe. @opened: (transfer
 * full) (nullable) what rvm_run_create() returned. Catches signals (interrupts.h) while it trains; after RVM_RUN_INTERRUPTED
 * rvm_interrupts_get_status() tells of them. When it fails, what was learned before is saved. */
RvmRunResult rvm_run_resume (const RvmRunOptions *options, RvmSampler *opened, GError **error);

G_END_DECLS
