/* The files of a run's folder other than checkpoints and metrics: recipe, list of data, lock. */
#pragma once

#include "recipe.h"
#include "run.h"

G_BEGIN_DECLS

/* A file descriptor that holds the folder until it is closed, or -1: somebody else trains here, or it is no run's folder. */
int rvm_run_lock (const char *folder, GError **error);

gboolean rvm_run_load_recipe (const char *folder, RvmRecipe *recipe, GError **error);
/* The latest checkpoint that is whole; damaged ones are named on standard error and passed over. (transfer full) */
char *rvm_run_find_checkpoint (const char *folder, guint64 *step, GError **error);
/* Recipe, data and what the run began with, for the metadata of weight files. */
GHashTable *rvm_run_make_metadata (const char *folder, const RvmRecipe *recipe, GError **error);
/* What @options name, or what data.ini does if they name nothing, from batch @first on. */
RvmSource *rvm_run_open_source (const RvmRunOptions *options, const RvmRecipe *recipe, guint64 first, GError **error);

G_END_DECLS
