/* Checkpoints: one safetensors file with every weight under its own name (so that it is a model file too), the optimiser's moments as
 * "adamw/m/NAME" and "adamw/v/NAME", and metadata: format_version, step, recipe, data, start, hash. Written to a temporary file and
 * renamed. */
#pragma once

#include "trainer/step/adamw.h"

G_BEGIN_DECLS

/* @optimiser: NULL to save weights only. @metadata: (nullable) string -> string, added to the metadata above. The file gets its name after it was
 * written to the disk and read back completely. */
gboolean rvm_checkpoint_save (const char *path, RvmModel *model, const RvmOptimiser *optimiser, RvmQueue *queue, guint64 step,
    GHashTable *metadata, GError **error);

/* Reads the moments and the step from @path, from which @model was loaded. A damaged file is RVM_ERROR_FORMAT. */
gboolean rvm_checkpoint_restore (const char *path, RvmModel *model, RvmOptimiser *optimiser, RvmQueue *queue, GError **error);
/* Checks the file without loading it. @step, @metadata: (out) (optional) (transfer full). */
gboolean rvm_checkpoint_verify (const char *path, guint64 *step, GHashTable **metadata, GError **error);

/* In a run's folder: "checkpoint-00001200.safetensors". */
char *rvm_checkpoint_get_path (const char *folder, guint64 step);
/* Steps of the checkpoints in a folder, ascending: (transfer full) (element-type guint64). Nothing is opened but the folder. */
GArray *rvm_checkpoint_list (const char *folder, GError **error);
/* Deletes the checkpoints up to @step, except the last @keep, multiples of @keep_every (if not 0), and step 0. */
void rvm_checkpoint_prune (const char *folder, guint64 step, guint keep, guint keep_every);

G_END_DECLS
