/* The material of a run: the list in its folder (material.jsonl), which is made when the run begins and compared with the disk when it is
 * continued. */
#pragma once

#include "run_options.h"
#include "trainer/data/sampler.h"

G_BEGIN_DECLS

/* For a run that begins: opens every file that @options name, and writes the list to the folder. */
RvmSampler *rvm_run_list_material (const RvmRunOptions *options, const RvmRecipe *recipe, GError **error);

/* For a run that continues from step @step: opens the files in its list, or those that @options name instead. Differences between the list and the
 * disk are reported on standard error and noted in the list; missing files are an error. All processes of a run call it: the first one writes the
 * list, the others must find the same files. @opened: (transfer full) (nullable): what rvm_run_list_material() has just returned in the first
 * process. */
RvmSampler *rvm_run_open_material (const RvmRunOptions *options, const RvmRecipe *recipe, RvmSampler *opened, guint64 step, GError **error);

G_END_DECLS
