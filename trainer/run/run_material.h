/* The material of a run: the list in its folder (material.jsonl), which is made when the run begins and compared with the disk when it
 * goes on. */
#pragma once

#include "run_options.h"
#include "trainer/data/sampler.h"

G_BEGIN_DECLS

/* What @options name, for a run that begins: every file is opened, and the list is written to the folder. */
RvmSampler *rvm_run_list_material (const RvmRunOptions *options, const RvmRecipe *recipe, GError **error);

/* What the folder lists, or instead of it what @options name, from step @step on. What differs between the list and the disk is told
 * on standard error and noted in the list; files that are missing are an error. To be called by all processes of a run: the first one
 * writes the list, the others must find the same files. @opened: (transfer full) (nullable): what rvm_run_list_material() has just
 * returned in the first process. */
RvmSampler *rvm_run_open_material (const RvmRunOptions *options, const RvmRecipe *recipe, RvmSampler *opened, guint64 step, GError **error);

G_END_DECLS
