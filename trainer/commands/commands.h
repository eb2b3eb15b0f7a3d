/* The subcommands of rvm-cl-train. Each gets its own arguments, argv[0] being its name, and returns the exit status: 0, 1 after a
 * failure, 2 for a wrong call. */
#pragma once

#include "kernels/runtime/device.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

int rvm_command_info (int argc, char **argv);
int rvm_command_init (int argc, char **argv);
int rvm_command_convert (int argc, char **argv);
int rvm_command_pretrain (int argc, char **argv);
int rvm_command_resume (int argc, char **argv);
int rvm_command_preview (int argc, char **argv);
int rvm_command_reconstruct (int argc, char **argv);
int rvm_command_evaluate (int argc, char **argv);
int rvm_command_bench (int argc, char **argv);

/* Says what failed on standard error, as "rvm-cl-train: ...". */
int rvm_command_fail (const GError *error, int status);

/* The help of --cache-dir, where a device is opened. */
#define RVM_CACHE_DIR_HELP "where compiled kernels, also PoCL's, and what is known of videos are kept (default: the user's cache directory)"
/* What the user should know about a device that was opened, on standard error, once. */
void rvm_command_show_notice (RvmDevice *device);

/* A recipe by name with --set values in it. */
gboolean rvm_command_make_recipe (RvmRecipe *recipe, const char *name, const char *const *settings, GError **error);

G_END_DECLS
