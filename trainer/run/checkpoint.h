/* Checkpoints: one safetensors file with every weight under its own name (so that it is a model file too), the optimiser's moments as
 * "adamw/m/NAME" and "adamw/v/NAME", and metadata: format_version, step, recipe, data, start, hash. Written to a temporary file and
 * renamed. */
#pragma once

#include "trainer/step/adamw.h"

G_BEGIN_DECLS

/* @optimiser may be NULL: weights only. @metadata: (nullable) string -> string, added to what is said above. The file gets its name
 * when it is on the disk and all of it was read back. */
gboolean rvm_checkpoint_save (const char *path, RvmModel *model, const RvmOptimiser *optimiser, RvmQueue *queue, guint64 step,
    GHashTable *metadata, GError **error);

/* Takes up the moments and the step of @path, from which @model was loaded. A file whose values are not those that were saved is an
 * error (RVM_ERROR_FORMAT). */
gboolean rvm_checkpoint_restore (const char *path, RvmModel *model, RvmOptimiser *optimiser, RvmQueue *queue, GError **error);
/* Only checks, and tells the step and the metadata: (out) (optional) (transfer full). */
gboolean rvm_checkpoint_verify (const char *path, guint64 *step, GHashTable **metadata, GError **error);

/* In a run's folder: "checkpoint-00001200.safetensors". */
char *rvm_checkpoint_get_path (const char *folder, guint64 step);
/* Steps of the checkpoints in a folder, ascending: (transfer full) (element-type guint64). Nothing is opened but the folder. */
GArray *rvm_checkpoint_list (const char *folder, GError **error);
/* Deletes all up to @step but the last @keep, multiples of @keep_every (if not 0), and step 0. */
void rvm_checkpoint_prune (const char *folder, guint64 step, guint keep, guint keep_every);

G_END_DECLS
