/* The files of a run's folder other than checkpoints and metrics (recipe, start, lock), and making such a folder. */
#pragma once

#include "run_options.h"
#include "trainer/data/sampler.h"

G_BEGIN_DECLS

/* A file descriptor that keeps the folder locked until it is closed; -1 if another process trains in it, or if it is not the folder of a run. */
int rvm_run_lock (const char *folder, GError **error);

gboolean rvm_run_load_recipe (const char *folder, RvmRecipe *recipe, GError **error);
/* (transfer full): the path of the checkpoint of step @from or, with RVM_RUN_LATEST, of the latest one that can be read. Damaged checkpoints are named
 * on standard error and skipped. If only that of step 0 can be read, that is an error which names the others: a run never starts over by itself. */
char *rvm_run_find_checkpoint (const char *folder, gint64 from, guint64 *step, GError **error);
/* The run continues from @step: renames the checkpoints of later steps, and reports it. */
void rvm_run_set_aside (const char *folder, guint64 step);
/* Whether model.safetensors is of step @step. */
gboolean rvm_run_has_model (const char *folder, guint64 step);
/* Recipe, material and what the run began with, for the metadata of weight files. */
GHashTable *rvm_run_make_metadata (const char *folder, const RvmRecipe *recipe, const RvmMaterial *material, GError **error);

/* Makes a folder that can be resumed at step 0: weights from @init (NULL: random; arrays that a file lacks are random too). An existing run in the
 * folder is an error. Returns the run's material, which has been opened for its list. */
RvmSampler *rvm_run_create (const RvmRunOptions *options, const RvmRecipe *recipe, const char *init, GError **error);

G_END_DECLS
